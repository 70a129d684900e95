"""`rgbdsod defend`: a saliency network behind input defences, attacked unknowingly and knowingly."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from typer import Context, Option

from rgbdsod.attacks.table import MAP_OBJECTIVES
from rgbdsod.cli import options
from rgbdsod.cli.attack import settings_of
from rgbdsod.cli.plan import show_work
from rgbdsod.cli.screen import Screen
from rgbdsod.cli.sources import (
    batch_size,
    describe_model,
    given,
    known_inputs,
    open_data,
    open_model,
    set_deterministic,
    show_result,
    target,
    working_size,
)
from rgbdsod.run.defense.choice import DefenseChoice, texts_of
from rgbdsod.run.plugins import load_plugins

if TYPE_CHECKING:
    from rgbdsod.run.defense.task import DefenseTask

_SOURCES = ("model", "weights", "fusion", "encoder", "size", "data", "limit", "ids", "depth_invert", "depth_range",
            "depth_unit", "resize_depth", "intersect", "plugin")  # fmt: skip
_ATTACK, _GUARD = "Attack", "Defences"
_FIXED: Mapping[str, Any] = {"goal": "untargeted", "target": None, "levels": None, "eot": 1, "check": False,
                             "prepared": False}  # fmt: skip


def command(
    context: Context,
    model: options.Model = "bbsnet",
    weights: options.Weights = None,
    fusion: options.Fusion = None,
    encoder: options.Encoder = None,
    size: options.Size = None,
    data: options.Data = "demo:scenes",
    limit: options.Limit = None,
    ids: options.Ids = None,
    depth_invert: options.DepthInvert = None,
    depth_range: options.DepthRange = None,
    depth_unit: options.DepthUnit = None,
    resize_depth: options.ResizeDepth = False,
    intersect: options.Intersect = False,
    attack: Annotated[str, Option(help="A name of `list attacks`.", rich_help_panel=_ATTACK)] = "pgd",
    modality: Annotated[
        str | None, Option(help="rgb, depth or both; default: all that have a radius.", rich_help_panel=_ATTACK)
    ] = None,
    eps: Annotated[str | None, Option(help="Radius, 4/255.", rich_help_panel=_ATTACK)] = None,
    eps_rgb: Annotated[str | None, Option(help="Radius of rgb.", rich_help_panel=_ATTACK)] = None,
    eps_depth: Annotated[str | None, Option(help="Radius of depth.", rich_help_panel=_ATTACK)] = None,
    norm: Annotated[
        str | None, Option(help="linf, l2, l1 or l0; default: linf if the attack has it.", rich_help_panel=_ATTACK)
    ] = None,
    steps: Annotated[int | None, Option(help="Steps of a restart.", rich_help_panel=_ATTACK)] = None,
    step_size: Annotated[str | None, Option(help="2/255; default: the norm's own.", rich_help_panel=_ATTACK)] = None,
    restarts: Annotated[int | None, Option(help="Runs; each image keeps its best.", rich_help_panel=_ATTACK)] = None,
    objective: Annotated[str, Option(help="A name of `list objectives`.", rich_help_panel=_ATTACK)] = "bce",
    success: Annotated[str | None, Option(help="Fooled means: iou<0.5, ...", rich_help_panel=_ATTACK)] = None,
    holes: Annotated[str, Option(help="Unmeasured depth: keep or free.", rich_help_panel=_ATTACK)] = "keep",
    defense: Annotated[
        str,
        Option(
            help="Chains of `list defenses`: median+detect; several: median,jpeg(quality=50)+tv.",
            rich_help_panel=_GUARD,
        ),
    ] = "median,median+detect",
    calibration: Annotated[
        str | None, Option(help="Clean images that set limits; default: others, or these.", rich_help_panel=_GUARD)
    ] = None,
    fpr: Annotated[float, Option(help="Of them, the share that may be accused.", rich_help_panel=_GUARD)] = 0.05,
    aware: Annotated[
        bool, Option("--aware/--no-aware", help="Also attacks that know the defence.", rich_help_panel=_GUARD)
    ] = True,
    effort: Annotated[str, Option(help="Of these: quick, standard or thorough.", rich_help_panel=_GUARD)] = "standard",
    penalty: Annotated[
        str, Option(help="Weights of a detector's score in the loss: 0.1,1,10.", rich_help_panel=_GUARD)
    ] = "0.1,1,10",
    search: Annotated[
        bool,
        Option("--search", help="Also a search by scores alone (square), as thorough has.", rich_help_panel=_GUARD),
    ] = False,
    queries: Annotated[int, Option(help="Of that search.", rich_help_panel=_GUARD)] = 500,
    expectation: Annotated[int, Option(help="Draws of a random defence in one gradient.", rich_help_panel=_GUARD)] = 4,
    draws: Annotated[int, Option(help="Draws of a random defence in one verdict.", rich_help_panel=_GUARD)] = 5,
    checks: Annotated[
        bool, Option("--checks/--no-checks", help="Also test the attacks, on three images.", rich_help_panel=_GUARD)
    ] = True,
    batch: options.Batch = "auto",
    device: options.Device = "auto",
    dtype: options.Dtype = "float32",
    seed: options.Seed = 0,
    deterministic: options.Deterministic = False,
    out: options.Out = None,
    name: options.Name = None,
    restart: options.Restart = False,
    config: options.Config = None,
    set_: options.Set = None,
    plugin: options.Plugin = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    progress: options.Progress = True,
    dry_run: options.DryRun = False,
) -> None:
    """Measure a saliency network behind input defences, under attacks that do not know them and attacks that do."""
    run_command({**context.params, **_FIXED}, context.obj["extra"], context.obj["known"])


def run_command(flags: Mapping[str, Any], extra: dict[str, Any], known: list[str]) -> None:
    """Check everything, then measure.

    Args:
        flags: the command's parameters by name.
        extra: settings that are no flags: an attack's own parameters.
        known: names of the flags.
    """
    screen = Screen.of(flags)
    load_plugins(flags["plugin"] or ())
    known_inputs(flags["model"], flags["fusion"])
    flags = {**flags, "size": working_size(flags)}
    choice = choice_of(flags)
    MAP_OBJECTIVES[flags["objective"]]  # a wrong name is refused before torch is imported
    settings = settings_of(flags, extra, known, "defend")
    batch = batch_size(flags["batch"])
    set_deterministic(flags["deterministic"])

    from rgbdsod.run.defense.defend import defense_task, run_defense

    data = open_data(flags, screen)
    task = defense_task(
        open_model(flags, flags["size"]), data, settings, choice, calibration=flags["calibration"],
        given=given(flags, _SOURCES),
    )  # fmt: skip
    if flags["dry_run"]:
        show_work(screen, task, target(flags), rows=len(task.data) * len(task.choice.defenses), size=0)
        return
    with screen.progress("defend", "images") as advance:
        result = run_defense(task, target(flags), batch, advance, lambda: _header(screen, task))
    show_result(screen, result, result.summary(), result.warnings)


def choice_of(flags: Mapping[str, Any]) -> DefenseChoice:
    """The defences as flags say.

    Raises:
        UsageError: a name, an order or a number that cannot be.
    """
    from rgbdsod.run.threats import parse_number

    weights = tuple(parse_number(part, "--penalty") for part in flags["penalty"].split(",") if part.strip())
    own = {key: flags[key] for key in ("fpr", "aware", "effort", "search", "queries", "expectation", "draws", "checks")}
    return DefenseChoice(defenses=texts_of(flags["defense"]), weights=weights, **own).checked()


def _header(screen: Screen, task: "DefenseTask") -> None:
    """What is about to be done."""
    from rgbdsod.run.threats import show_eps

    plan, choice = task.plan, task.choice
    radii = ", ".join(f"{name} {show_eps(eps)}" for name, eps in plan.radii[0].items())
    steps = plan.parameters.get("steps")
    clean = "" if task.clean is None else f", limits by {task.clean.name} at {choice.fpr:g} false alarms"
    screen.header(f"model   {describe_model(task.model)}")
    screen.header(f"data    {task.data.name}   {len(task.data)} images   seed {plan.settings.seed}")
    screen.header(f"attack  {plan.settings.attack}   {plan.norm}, {radii}{f', {steps} steps' if steps else ''}")
    known = f", {choice.effort} effort" if choice.aware else ", nobody aware"
    screen.header(f"guard   {', '.join(choice.defenses)}{clean}{known}")
