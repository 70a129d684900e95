"""`rgbdsod attack`: make adversarial examples, measure before and after."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from typer import Context, Option

from rgbdsod.attacks.table import ATTACKS, MAP_OBJECTIVES
from rgbdsod.cli import options
from rgbdsod.cli.layers import refuse_unknown
from rgbdsod.cli.plan import show_plan
from rgbdsod.cli.screen import Screen
from rgbdsod.cli.sharing import show_share
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
from rgbdsod.cli.ways import Way
from rgbdsod.run.plugins import load_plugins

if TYPE_CHECKING:
    from rgbdsod.run.attack_settings import AttackSettings
    from rgbdsod.run.attack_task import AttackTask

_SOURCES = ("model", "weights", "fusion", "encoder", "size", "data", "limit", "ids", "depth_invert", "depth_range",
            "depth_unit", "resize_depth", "intersect", "empty", "plugin")  # fmt: skip
_HIGHEST = {256: 255, 65536: 65535}
"""The highest code of so many levels."""

_OWN = ("steps", "step_size", "restarts", "patch_size", "where", "depth_mode", "patch_goal", "transforms")
_ATTACK, _PATCH = "Attack", "Attack patch"


def command(
    context: Context,
    model: options.Model = "bbsnet",
    weights: options.Weights = None,
    fusion: options.Fusion = None,
    encoder: options.Encoder = None,
    size: options.Size = None,
    data: options.Data = "demo",
    limit: options.Limit = None,
    ids: options.Ids = None,
    depth_invert: options.DepthInvert = None,
    depth_range: options.DepthRange = None,
    depth_unit: options.DepthUnit = None,
    resize_depth: options.ResizeDepth = False,
    intersect: options.Intersect = False,
    empty: options.Empty = "count",
    attack: Annotated[str, Option(help="A name of `list attacks`.", rich_help_panel=_ATTACK)] = "pgd",
    modality: Annotated[
        str | None, Option(help="rgb, depth or both (joint); default: all that have a radius.", rich_help_panel=_ATTACK)
    ] = None,
    space: Annotated[
        str | None, Option(help="Models that read hha: hha, depth or metric (eps in m).", rich_help_panel=_ATTACK)
    ] = None,
    eps: Annotated[str | None, Option(help="Radius, 8/255; or several: 2/255,4/255.", rich_help_panel=_ATTACK)] = None,
    eps_rgb: Annotated[str | None, Option(help="Radius of rgb.", rich_help_panel=_ATTACK)] = None,
    eps_depth: Annotated[str | None, Option(help="Radius of depth.", rich_help_panel=_ATTACK)] = None,
    eps_hha: Annotated[str | None, Option(help="Radius of hha.", rich_help_panel=_ATTACK)] = None,
    norm: Annotated[
        str | None, Option(help="linf, l2, l1 or l0; default: linf if the attack has it.", rich_help_panel=_ATTACK)
    ] = None,
    steps: Annotated[int | None, Option(help="Steps of a restart.", rich_help_panel=_ATTACK)] = None,
    step_size: Annotated[str | None, Option(help="2/255; default: the norm's own.", rich_help_panel=_ATTACK)] = None,
    restarts: Annotated[int | None, Option(help="Runs; each image keeps its best.", rich_help_panel=_ATTACK)] = None,
    objective: Annotated[str, Option(help="A name of `list objectives`.", rich_help_panel=_ATTACK)] = "bce",
    goal: Annotated[str, Option(help="untargeted, hide or paint.", rich_help_panel=_ATTACK)] = "untargeted",
    target: Annotated[str | None, Option(help="paint: a picture of the map to show.", rich_help_panel=_ATTACK)] = None,
    success: Annotated[str | None, Option(help="Fooled means: iou<0.5, ...", rich_help_panel=_ATTACK)] = None,
    levels: Annotated[int | None, Option(help="256, 65536: the attack itself rounds.", rich_help_panel=_ATTACK)] = None,
    holes: Annotated[str, Option(help="Unmeasured depth: keep or free.", rich_help_panel=_ATTACK)] = "keep",
    eot: Annotated[int, Option(help="Passes that one gradient is the mean of.", rich_help_panel=_ATTACK)] = 1,
    check: Annotated[
        bool, Option("--check", help="Health checks: is the figure to be believed?", rich_help_panel=_ATTACK)
    ] = False,
    prepared: Annotated[
        bool, Option("--prepared", help="Attack a copy with BatchNorm folded: quicker.", rich_help_panel=_ATTACK)
    ] = False,
    patch_size: Annotated[str | None, Option(help="Share of the image, 5%.", rich_help_panel=_PATCH)] = None,
    where: Annotated[
        str | None, Option(help="random, fixed, on-object, off-object, boundary, worst, box.", rich_help_panel=_PATCH)
    ] = None,
    depth_mode: Annotated[
        str | None, Option(help="surface, card, plane, relief or free.", rich_help_panel=_PATCH)
    ] = None,
    patch_goal: Annotated[
        str | None, Option(help="own, hide, ghost, swap, degrade or self.", rich_help_panel=_PATCH)
    ] = None,
    transforms: Annotated[
        str | None, Option(help="none, digital, print, hard, ...: drawn at each step.", rich_help_panel=_PATCH)
    ] = None,
    batch: options.Batch = "auto",
    device: options.Device = "auto",
    dtype: options.Dtype = "float32",
    seed: options.Seed = 0,
    deterministic: options.Deterministic = False,
    out: options.Out = None,
    name: options.Name = None,
    restart: options.Restart = False,
    shard: options.Shard = None,
    ray: options.Ray = None,
    gpus_per_task: options.GpusPerTask = None,
    config: options.Config = None,
    set_: options.Set = None,
    plugin: options.Plugin = None,
    save_images: options.SaveImages = "auto",
    save_adversarial: Annotated[
        bool, Option("--save-adversarial", help="Also the float32 results.", rich_help_panel="Output")
    ] = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    progress: options.Progress = True,
    dry_run: options.DryRun = False,
) -> None:
    """Make adversarial examples, and measure the maps before and after."""
    run_attack(context.params, context.obj["extra"], context.obj["known"])


def run_attack(flags: Mapping[str, Any], extra: dict[str, Any], known: list[str]) -> None:
    """Check everything, then attack.

    Args:
        flags: the command's parameters by name.
        extra: settings that are no flags: an attack's own parameters.
        known: names of the flags.
    """
    screen, way, batch = Screen.of(flags), Way.of(flags), batch_size(flags["batch"])
    arguments = {"flags": {**flags, "device": way.device(flags["device"])}, "extra": extra, "known": known}
    task = task_of(arguments, screen)
    if flags["dry_run"]:
        show_plan(screen, task, target(flags))
    else:
        _attack(screen, task, arguments, batch, way)


def task_of(arguments: Mapping[str, Any], screen: Screen | None = None) -> "AttackTask":
    """The attack of some flags, everything checked, nothing started.

    Args:
        arguments: "flags", "extra" and "known" of `run_attack`; they travel to Ray's workers, too.
        screen: shows what is odd about the images; None: nobody is there to see it.
    """
    flags, extra, known = (arguments[name] for name in ("flags", "extra", "known"))
    screen = screen or Screen(quiet=True)
    load_plugins(flags["plugin"] or ())
    inputs = known_inputs(flags["model"], flags.get("fusion"))
    flags = {**flags, "size": working_size(flags)}
    MAP_OBJECTIVES[flags["objective"]]  # a wrong name is refused before torch is imported
    settings = settings_of(flags, extra, known)

    from rgbdsod.run.attack_settings import AttackPlan

    if inputs is not None and settings.space is None:
        AttackPlan.of(settings, inputs, flags["model"])  # before model and images are read
    set_deterministic(flags["deterministic"])

    from rgbdsod.run.attack import attack_task

    images = open_data(flags, screen)
    model = open_model(flags, flags["size"])
    return attack_task(
        model, images, settings, empty=flags["empty"], save_images=flags["save_images"],
        save_adversarial=flags["save_adversarial"], given=given(flags, _SOURCES),
    )  # fmt: skip


def _attack(screen: Screen, task: "AttackTask", arguments: Mapping[str, Any], batch: int | None, way: Way) -> None:
    from rgbdsod.run.modeling import device_of
    from rgbdsod.run.results import AttackResult

    with screen.progress("attack", "images") as advance:
        outcome = way.execute(
            task, task_of, arguments, target=target(arguments["flags"]), device=device_of(task.model), batch=batch,
            callback=advance, on_open=lambda: _header(screen, task),
        )  # fmt: skip
    if not outcome.complete:
        show_share(screen, outcome, way.share)
        return
    result = AttackResult(outcome)
    show_result(screen, result, result.summary())


def settings_of(
    flags: Mapping[str, Any], extra: dict[str, Any], known: list[str], command: str = "attack"
) -> "AttackSettings":
    """What the flags of an attack say.

    Args:
        flags: a command's parameters by name.
        extra: settings that are no flags: the attack's own parameters.
        known: names of the flags.
        command: its name.
    """
    from rgbdsod.run.attack_settings import AttackSettings
    from rgbdsod.run.threats import parse_eps

    takes = ATTACKS[flags["attack"]].parameters()
    refuse_unknown({key: value for key, value in extra.items() if key not in takes}, [*known, *takes], command)
    whole = None if flags["eps"] is None else parse_eps(flags["eps"])
    flag = {key: flags.get(f"eps_{key}") for key in ("rgb", "depth", "hha")}
    own = {key: parse_eps(text, f"--eps-{key}") for key, text in flag.items() if text}
    modality = flags["modality"]
    return AttackSettings(
        attack=flags["attack"],
        modality=modality,
        space=flags.get("space"),
        eps=_merge(whole, own, modality),
        norm=flags["norm"],
        parameters={**{key: flags.get(key) for key in _OWN}, **extra},
        objective=flags["objective"],
        goal=flags["goal"],
        target=flags["target"],
        success=flags["success"],
        seed=flags["seed"],
        levels=_HIGHEST.get(flags["levels"], flags["levels"]),
        holes=flags["holes"],
        dtype=flags["dtype"],
        eot=flags["eot"],
        check=flags["check"],
        prepared=flags["prepared"],
    )


def _merge(
    whole: tuple[float, ...] | None, own: dict[str, tuple[float, ...]], modality: str | None
) -> tuple[float, ...] | dict[str, tuple[float, ...]] | None:
    """`--eps` for every attacked input, but `--eps-rgb`, `--eps-depth` and `--eps-hha` for theirs."""
    if not own or whole is None:
        return own or whole
    others = [modality] if modality in ("rgb", "depth", "hha") else ["rgb", "hha" if "hha" in own else "depth"]
    return {**dict.fromkeys(others, whole), **own}


def _header(screen: Screen, task: "AttackTask") -> None:
    """What is about to be done."""
    from rgbdsod.run.modeling import device_of
    from rgbdsod.run.threats import show_eps

    plan, chosen = task.plan, task.plan.settings
    radii = {name: ",".join(show_eps(turn[name]) for turn in plan.radii) for name in plan.attacked}
    what = [f"{name} {radii[name]}" if name in radii else f"{name} untouched" for name in plan.inputs]
    own = [f"{plan.parameters[key]} {key}" for key in ("steps", "restarts") if (plan.parameters.get(key) or 1) > 1]
    screen.header(f"model   {describe_model(task.model)}")
    screen.header(
        f"data    {task.data.name}   {len(task.data)} images   "
        f"device {device_of(task.model)}, {chosen.dtype}, seed {chosen.seed}"
    )
    screen.header(f"attack  {chosen.attack}   {', '.join([plan.norm, *what, *own])}")
    if task.space is not None:
        screen.header(f"space   {task.space.name}: {task.space.words}")
