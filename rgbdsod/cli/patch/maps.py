"""`rgbdsod patch maps`: cross-modal patch maps beside baselines, stickers and patches that know them."""

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
from rgbdsod.run.patch_defense.choice import PatchChoice
from rgbdsod.run.plugins import load_plugins

if TYPE_CHECKING:
    from rgbdsod.run.patch_maps.task import MapsChoice, MapsTask

_SOURCES = ("model", "weights", "fusion", "encoder", "data", "limit", "ids", "depth_invert", "depth_range",
            "depth_unit", "resize_depth", "intersect", "plugin")  # fmt: skip
_PATCH, _MAPS = "Patch", "Maps"
_COLUMNS = 15
"""Rows of an image in the table of samples, about: a column of patches each."""


def maps(
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
    goal: Annotated[str, Option(help="hide or degrade, away from the patch.", rich_help_panel=_PATCH)] = "degrade",
    size: own.Size = "5%",
    shape: own.Shape = "square",
    where: own.Where = "off-object",
    at: own.At = "0.5,0.5",
    transforms: own.Transforms = "none",
    draws: own.Draws = 4,
    steps: own.Steps = 50,
    restarts: own.Restarts = 1,
    calibration: Annotated[
        str | None, Option(help="Clean images that say what is rare; default: others, or these.", rich_help_panel=_MAPS)
    ] = None,
    share: own.Share = 0.01,
    grid: Annotated[int, Option(help="Windows of the influence map each way.", rich_help_panel=_MAPS)] = 7,
    aware: Annotated[
        bool, Option("--aware/--no-aware", help="Also patches that know a map.", rich_help_panel=_MAPS)
    ] = True,
    penalty: Annotated[
        str, Option(help="Weights of a map in patches that know it, the best is kept.", rich_help_panel=_MAPS)
    ] = "0.1,1,10",
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
    """Measure how well maps of RGB against depth find patches, and which modality they accuse."""
    refuse_unknown(context.obj["extra"], context.obj["known"], "patch maps")
    run_maps(context.params)


def run_maps(flags: Mapping[str, Any]) -> None:
    """Check everything, then measure.

    Args:
        flags: the command's parameters by name.
    """
    screen = Screen.of(flags)
    load_plugins(flags["plugin"] or ())
    known_inputs(flags["model"], flags["fusion"])
    batch, working = batch_size(flags["batch"]), own.image_size(flags["image_size"])
    choice = _choice(flags)

    from rgbdsod.run.patch_maps.maps import maps_task, run_maps

    set_deterministic(flags["deterministic"])
    data = open_data(flags, screen)
    named = given(flags, _SOURCES) | ({} if working is None else {"image_size": flags["image_size"]})
    task = maps_task(open_model(flags, working), data, choice, calibration=flags["calibration"], given=named)
    if flags["dry_run"]:
        show_work(screen, task, target(flags), rows=len(task.data) * _COLUMNS, size=0)
        return
    with screen.progress("maps", "images") as advance:
        result = run_maps(task, target(flags), batch, advance, lambda: _header(screen, task))
    show_result(screen, result, result.summary(), result.warnings)


def _choice(flags: Mapping[str, Any]) -> "MapsChoice":
    from rgbdsod.run.patch_maps.task import MapsChoice
    from rgbdsod.run.threats import parse_number

    patch = {name: flags[name] for name in ("size", "shape", "where", "at", "transforms", "draws", "steps", "restarts")}
    weights = [part for part in flags["penalty"].split(",") if part.strip()] if flags["aware"] else []
    return MapsChoice(
        patch=PatchChoice(**patch), goal=flags["goal"], grid=flags["grid"], share=flags["share"], seed=flags["seed"],
        penalties=tuple(parse_number(part, "--penalty") for part in weights),
    )  # fmt: skip


def _header(screen: Screen, task: "MapsTask") -> None:
    """What is about to be done."""
    choice, patch = task.choice, task.choice.patch
    screen.header(f"model   {describe_model(task.model)}")
    screen.header(f"data    {task.data.name}   {len(task.data)} images   seed {choice.seed}")
    screen.header(f"patch   {patch.size} {patch.shape}, {patch.where}, {choice.goal}, {patch.steps} steps")
    screen.header(f"maps    {choice.grid}x{choice.grid} windows, rare by {task.clean.name}")
