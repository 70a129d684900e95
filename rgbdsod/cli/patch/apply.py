"""`rgbdsod patch apply`: a saved patch on other images or against another network, or on paper."""

from typing import Annotated

from typer import Argument, Context, Option

from rgbdsod.cli import options
from rgbdsod.cli.layers import refuse_unknown
from rgbdsod.cli.patch import flags as own
from rgbdsod.cli.patch.running import run_apply


def apply(
    context: Context,
    patch: Annotated[str, Argument(help="A patch's folder or file, as `patch make` wrote it.")],
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
    run_apply(context.params)
