"""`rgbdsod patch certify`: what no patch of a stated size can change."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from typer import Context, Option

from rgbdsod.cli import options
from rgbdsod.cli.layers import refuse_unknown
from rgbdsod.cli.patch.guarding import image_size
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
    split,
    target,
)
from rgbdsod.errors import UsageError
from rgbdsod.models.detectors.table import DETECTORS
from rgbdsod.models.user_code import is_user_code
from rgbdsod.run.plugins import load_plugins

if TYPE_CHECKING:
    from rgbdsod.run.patch_certify.boxes import BoxesTask
    from rgbdsod.run.patch_certify.choice import CertifyChoice
    from rgbdsod.run.patch_certify.maps import MapsTask

_MAPS = ("model", "weights", "fusion", "encoder", "data", "limit", "ids", "depth_invert", "depth_range", "depth_unit",
         "resize_depth", "intersect", "plugin")  # fmt: skip
_BOXES = ("detector", "weights", "classes", "annotations", "images", "n_samples", "image_size")
_WHAT, _OBJECTS, _CERTIFY = "What", "Detectors", "Certificate"


def certify(
    context: Context,
    model: options.Model = "bbsnet",
    weights: options.Weights = None,
    fusion: options.Fusion = None,
    encoder: options.Encoder = None,
    data: options.Data = "demo",
    limit: options.Limit = None,
    ids: options.Ids = None,
    depth_invert: options.DepthInvert = None,
    depth_range: options.DepthRange = None,
    depth_unit: options.DepthUnit = None,
    resize_depth: options.ResizeDepth = False,
    intersect: options.Intersect = False,
    detector: Annotated[
        str | None,
        Option(help="Instead of --model: a name of `list detectors`, or FILE.py:function.", rich_help_panel=_OBJECTS),
    ] = None,
    classes: Annotated[
        str | None, Option(help="A,B,C: what --weights were trained for.", rich_help_panel=_OBJECTS)
    ] = None,
    annotations: Annotated[
        str | None, Option(help="COCO instances file; default: generated scenes of shapes.", rich_help_panel=_OBJECTS)
    ] = None,
    images: Annotated[str | None, Option(help="The folder with its images.", rich_help_panel=_OBJECTS)] = None,
    n_samples: Annotated[
        int | None, Option("--n-samples", help="The first N images.", rich_help_panel=_OBJECTS)
    ] = None,
    image_size: Annotated[
        str | None, Option(help="HxW that images are brought to; default: the detector's.", rich_help_panel=_OBJECTS)
    ] = None,
    lines: Annotated[int, Option(help="Lines each way, four copies for each.", rich_help_panel=_OBJECTS)] = 10,
    pruning: Annotated[
        float, Option(help="Share of a copy's box from which on a plain box stands for it.", rich_help_panel=_OBJECTS)
    ] = 0.6,
    size: Annotated[
        str, Option(help="A,B of the largest patch: 1%, or 13x13 pixels.", rich_help_panel=_CERTIFY)
    ] = "0.5%,1%",
    aim: Annotated[str, Option(help="Maps: recovery, detection.", rich_help_panel=_CERTIFY)] = "recovery,detection",
    layout: Annotated[str, Option(help="Maps: columns, grid.", rich_help_panel=_CERTIFY)] = "columns",
    modality: Annotated[
        str | None, Option(help="Maps: rgb, depth, both; default: all.", rich_help_panel=_CERTIFY)
    ] = None,
    fill: Annotated[
        str | None,
        Option(help="Of hidden pixels; default: inpaint for maps, grey for boxes.", rich_help_panel=_CERTIFY),
    ] = None,
    batch: options.Batch = "auto",
    device: options.Device = "auto",
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
    """Certify maps or detections: what no patch of a size, anywhere and of any content, can change."""
    refuse_unknown(context.obj["extra"], context.obj["known"], "patch certify")
    run_certify(context.params)


def run_certify(flags: Mapping[str, Any]) -> None:
    """Check everything, then certify.

    Args:
        flags: the command's parameters by name.
    """
    screen = Screen.of(flags)
    load_plugins(flags["plugin"] or ())
    batch = batch_size(flags["batch"])
    choice = _choice(flags)
    set_deterministic(flags["deterministic"])
    task = _maps(flags, choice, screen) if flags["detector"] is None else _boxes(flags, choice)
    rows = len(task.data) * max(1, len(choice.sizes))
    if flags["dry_run"]:
        show_work(screen, task, target(flags), rows=rows, size=0)
        return

    from rgbdsod.run.patch_certify.certify import run_certify

    with screen.progress("certify", "images") as advance:
        result = run_certify(task, target(flags), batch, advance, lambda: _header(screen, task))
    show_result(screen, result, result.summary(), result.warnings)


def _choice(flags: Mapping[str, Any]) -> "CertifyChoice":
    from rgbdsod.run.patch_certify.choice import CertifyChoice, named

    return CertifyChoice(
        sizes=named(flags["size"]), aims=named(flags["aim"]), layouts=named(flags["layout"]),
        threats=named(flags["modality"] or ""), fill=flags["fill"], lines=flags["lines"], pruning=flags["pruning"],
    ).checked()  # fmt: skip


def _maps(flags: Mapping[str, Any], choice: "CertifyChoice", screen: Screen) -> "MapsTask":
    if wrong := [name for name in ("classes", "annotations", "images", "n_samples", "image_size") if flags[name]]:
        raise UsageError(f"--{wrong[0].replace('_', '-')} is about detectors; pass --detector too, or leave it out")
    known_inputs(flags["model"], flags["fusion"])

    from rgbdsod.run.patch_certify.certify import maps_task

    data = open_data(flags, screen)
    return maps_task(open_model(flags), data, choice, given=given(flags, _MAPS))


def _boxes(flags: Mapping[str, Any], choice: "CertifyChoice") -> "BoxesTask":
    if choice.threats:
        raise UsageError("--modality is about maps; a detector has one image, so leave it out")
    if not is_user_code(flags["detector"]):
        DETECTORS[flags["detector"]]  # raises with a hint
    size = image_size(flags["image_size"])

    from rgbdsod.models.detectors.user import open_detector
    from rgbdsod.models.device import resolve_device
    from rgbdsod.run.patch_certify.certify import boxes_task
    from rgbdsod.run.patch_defense.evaluate import open_boxed

    data = open_boxed(flags["annotations"], flags["images"], flags["n_samples"])
    device, classes = resolve_device(flags["device"]), split(flags["classes"])
    detector = open_detector(flags["detector"], weights=flags["weights"], classes=classes, device=device)
    return boxes_task(detector, data, choice, image_size=size, device=device, given=given(flags, _BOXES))


def _header(screen: Screen, task: "MapsTask | BoxesTask") -> None:
    """What is about to be done."""
    from rgbdsod.run.patch_certify.maps import MapsTask

    if isinstance(task, MapsTask):
        screen.header(f"model   {describe_model(task.model)}")
        more = f"{', '.join(task.choice.aims)}; {', '.join(task.choice.layouts)}; {', '.join(task.choice.threats)}"
    else:
        screen.header(f"model   {task.name}   {getattr(task.detector, 'weights', '')}")
        more = f"ObjectSeeker, {task.choice.lines} lines each way, {4 * task.choice.lines + 1} passes"
    screen.header(f"data    {task.data.name}   {len(task.data)} images")
    screen.header(f"certify {', '.join(task.choice.sizes)}   {more}")
