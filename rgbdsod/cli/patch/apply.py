"""`rgbdsod patch apply`: a saved patch on other images, against another network or a detector, or on paper."""

from typing import Annotated

from typer import Argument, Context, Option

from rgbdsod.cli import options
from rgbdsod.cli.layers import refuse_unknown
from rgbdsod.cli.patch import flags as own
from rgbdsod.cli.patch.laying import run_laid
from rgbdsod.cli.patch.running import run_apply

_BOXES = "Detectors"


def apply(
    context: Context,
    patch: Annotated[str, Argument(help="A patch's folder or file, as `patch make` wrote it; or any picture.")],
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
    empty: options.Empty = "count",
    detector: Annotated[
        str | None,
        Option(help="Instead of --model: a name of `list detectors`, or FILE.py:function.", rich_help_panel=_BOXES),
    ] = None,
    classes: Annotated[
        str | None, Option(help="A,B,C: what --weights were trained for.", rich_help_panel=_BOXES)
    ] = None,
    annotations: Annotated[
        str | None, Option(help="COCO instances file; default: generated scenes of shapes.", rich_help_panel=_BOXES)
    ] = None,
    images: Annotated[str | None, Option(help="The folder with its images.", rich_help_panel=_BOXES)] = None,
    n_samples: Annotated[int | None, Option("--n-samples", help="The first N images.", rich_help_panel=_BOXES)] = None,
    image_size: Annotated[
        str | None, Option(help="HxW that images are brought to; default: the detector's.", rich_help_panel=_BOXES)
    ] = None,
    letterbox: Annotated[
        bool, Option("--letterbox", help="Pad images to squares with grey first.", rich_help_panel=_BOXES)
    ] = False,
    attacked: Annotated[
        str | None, Option("--class", help="Whose objects count; default: all.", rich_help_panel=_BOXES)
    ] = None,
    label: Annotated[str | None, Option(help="misclass, appear: the class to be seen.", rich_help_panel=_BOXES)] = None,
    modality: Annotated[str | None, Option(help="Refuse a patch of another one.", rich_help_panel=own.PATCH)] = None,
    goal: Annotated[str | None, Option(help="Default: as it was made.", rich_help_panel=own.PATCH)] = None,
    size: Annotated[str | None, Option(help="Default: as it was made.", rich_help_panel=own.PATCH)] = None,
    where: Annotated[str | None, Option(help="Default: as it was made.", rich_help_panel=own.PATCH)] = None,
    at: Annotated[str | None, Option(help="fixed: the centre, 0.5,0.5.", rich_help_panel=own.PATCH)] = None,
    depth_kind: Annotated[str | None, Option(help="Default: as it was made.", rich_help_panel=own.PATCH)] = None,
    sheet: Annotated[
        str | None, Option(help="FILE.pdf or .png: only write a sheet to print.", rich_help_panel="Print")
    ] = None,
    sheet_width: Annotated[
        float, Option(help="Width of the printed patch in millimetres.", rich_help_panel="Print")
    ] = 150.0,
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
    save_images: options.SaveImages = "auto",
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    progress: options.Progress = True,
    dry_run: options.DryRun = False,
) -> None:
    """Measure a saved patch on other images or another network; or write it as a sheet to print."""
    refuse_unknown(own.typed(context.obj["extra"]), context.obj["known"], "patch apply")
    run_laid(context.params) if context.params["detector"] else run_apply(context.params)
