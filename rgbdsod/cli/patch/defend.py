"""`rgbdsod patch defend`: a saliency network under patches, behind defences, attacked unknowingly and knowingly."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from typer import Context, Option

from rgbdsod.cli import options
from rgbdsod.cli.layers import refuse_unknown
from rgbdsod.cli.patch import guarding as own
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
)
from rgbdsod.run.plugins import load_plugins

if TYPE_CHECKING:
    from rgbdsod.run.patch_defense.defend_task import DefendTask

_SOURCES = ("model", "weights", "fusion", "encoder", "data", "limit", "ids", "depth_invert", "depth_range",
            "depth_unit", "resize_depth", "intersect", "plugin")  # fmt: skip
_PATCH, _GUARD = "Patch", "Defences"


def defend(
    context: Context,
    model: options.Model = "bbsnet",
    weights: options.Weights = None,
    fusion: options.Fusion = None,
    encoder: options.Encoder = None,
    image_size: Annotated[
        str | None, Option(help="HxW that the network works at; default: its own.", rich_help_panel="What")
    ] = None,
    data: options.Data = "demo:scenes",
    limit: options.Limit = None,
    ids: options.Ids = None,
    depth_invert: options.DepthInvert = None,
    depth_range: options.DepthRange = None,
    depth_unit: options.DepthUnit = None,
    resize_depth: options.ResizeDepth = False,
    intersect: options.Intersect = False,
    modality: Annotated[
        str, Option(help="What carries the patch: rgb, depth or both.", rich_help_panel=_PATCH)
    ] = "rgb",
    goal: Annotated[str, Option(help="hide or degrade, away from the patch.", rich_help_panel=_PATCH)] = "hide",
    size: own.Size = "5%",
    shape: own.Shape = "square",
    where: own.Where = "off-object",
    at: own.At = "0.5,0.5",
    depth_mode: Annotated[str, Option(help="surface, card, plane, relief or free.", rich_help_panel=_PATCH)] = "plane",
    depth_kind: Annotated[
        str, Option(help="unknown, inverse, metric:NEAR-FAR in metres.", rich_help_panel=_PATCH)
    ] = "unknown",
    transforms: own.Transforms = "none",
    draws: own.Draws = 4,
    steps: own.Steps = 50,
    restarts: own.Restarts = 1,
    defense: Annotated[
        str,
        Option(help="A,B of none, oracle, random-mask, jpeg, bits, median, tv, lgs, jedi, ...", rich_help_panel=_GUARD),
    ] = "median,tv,lgs,jedi",
    thresholds: own.Thresholds = "calibrated",
    calibration: own.Calibration = None,
    share: own.Share = 0.01,
    aware: own.Aware = True,
    penalty: own.Penalty = "0.1,1,10",
    search: own.Search = "gradient",
    queries: own.Queries = 32,
    checks: own.Checks = True,
    expectation: own.Expectation = 20,
    batch: options.Batch = "auto",
    device: options.Device = "auto",
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
    """Measure a saliency network behind defences, under patches that do not know them and patches that do."""
    refuse_unknown(context.obj["extra"], context.obj["known"], "patch defend")
    run_defend(context.params)


def run_defend(flags: Mapping[str, Any]) -> None:
    """Check everything, then measure.

    Args:
        flags: the command's parameters by name.
    """
    screen = Screen.of(flags)
    load_plugins(flags["plugin"] or ())
    known_inputs(flags["model"], flags["fusion"])
    batch = batch_size(flags["batch"])
    choice = own.guard_choice(flags, flags["modality"])

    from rgbdsod.run.patch_defense.defend import defend_task, run_defend

    set_deterministic(flags["deterministic"])
    working = own.image_size(flags["image_size"])
    data = open_data(flags, screen)
    named = given(flags, _SOURCES) | ({} if working is None else {"image_size": flags["image_size"]})
    task = defend_task(
        open_model(flags, working), data, choice, calibration=flags["calibration"], goal=flags["goal"], given=named
    )
    if flags["dry_run"]:
        show_work(screen, task, target(flags), rows=len(task.data) * len(choice.defenses), size=0)
        return
    with screen.progress("defend", "images") as advance:
        result = run_defend(task, target(flags), batch, advance, lambda: _header(screen, task))
    show_result(screen, result, result.summary(), result.warnings)


def _header(screen: Screen, task: "DefendTask") -> None:
    """What is about to be done."""
    choice, patch = task.choice, task.choice.patch
    screen.header(f"model   {describe_model(task.model)}")
    screen.header(f"data    {task.data.name}   {len(task.data)} images   seed {choice.seed}")
    screen.header(
        f"patch   {patch.modality}, {patch.size} {patch.shape}, {patch.where}, {task.goal}, {patch.steps} steps"
    )
    clean = "" if task.clean is None else f", by {task.clean.name}"
    knows = f"search {choice.search}" if choice.aware else "nobody aware"
    screen.header(f"guard   {', '.join(choice.defenses)}   thresholds {choice.thresholds}{clean}, {knows}")
