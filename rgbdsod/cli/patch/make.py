"""`rgbdsod patch make`: patches for a saliency network, measured beside their controls."""

from typing import Annotated

from typer import Context, Option

from rgbdsod.cli import options
from rgbdsod.cli.layers import refuse_unknown
from rgbdsod.cli.patch import flags as own
from rgbdsod.cli.patch.running import run_make

_SEARCH, _NATURAL = "Search", "Natural pictures"


def make(
    context: Context,
    model: options.Model = "bbsnet",
    weights: options.Weights = None,
    fusion: options.Fusion = None,
    encoder: options.Encoder = None,
    data: options.Data = "demo",
    fit_data: Annotated[
        str | None,
        Option(help="universal: images to fit on; default: half of --data.", rich_help_panel="What"),
    ] = None,
    limit: options.Limit = None,
    ids: options.Ids = None,
    depth_invert: options.DepthInvert = None,
    depth_range: options.DepthRange = None,
    depth_unit: options.DepthUnit = None,
    resize_depth: options.ResizeDepth = False,
    intersect: options.Intersect = False,
    empty: options.Empty = "count",
    modality: own.Modality = None,
    goal: own.Goal = "hide",
    size: own.Size = "5%",
    shape: Annotated[
        str, Option(help="square, disc, rounded, sides such as 3:2, FILE.png: its alpha.", rich_help_panel=own.PATCH)
    ] = "square",
    where: own.Where = "random",
    at: own.At = "0.5,0.5",
    depth_mode: Annotated[
        str, Option(help="surface, card, plane, relief or free.", rich_help_panel=own.PATCH)
    ] = "plane",
    depth_kind: own.DepthKind = "unknown",
    universal: Annotated[
        bool, Option("--universal", help="One patch for all images.", rich_help_panel=own.PATCH)
    ] = False,
    transforms: Annotated[
        str, Option(help="What it must stand: none, digital, print, hard, ...", rich_help_panel=_SEARCH)
    ] = "none",
    steps: Annotated[int | None, Option(help="Default: 200, universal 1000.", rich_help_panel=_SEARCH)] = None,
    step_size: Annotated[str | None, Option(help="Default: 2/255, universal 0.03.", rich_help_panel=_SEARCH)] = None,
    restarts: Annotated[int, Option(help="Runs; each image keeps its best.", rich_help_panel=_SEARCH)] = 1,
    draws: Annotated[
        int | None, Option(help="Transforms in one gradient; default: 4, universal 1.", rich_help_panel=_SEARCH)
    ] = None,
    start: Annotated[str, Option(help="uniform, grey or image.", rich_help_panel=_SEARCH)] = "uniform",
    natural: Annotated[
        str,
        Option(
            help="What it may show: none (anything), crop, mix, lowpass, vae, file, drawn.", rich_help_panel=_NATURAL
        ),
    ] = "none",
    natural_radius: Annotated[
        float | None,
        Option("--natural-radius", "--tau", help="How far that reaches; default: its own.", rich_help_panel=_NATURAL),
    ] = None,
    generator: Annotated[
        str | None, Option(help="file, drawn: FILE.safetensors of a generator.", rich_help_panel=_NATURAL)
    ] = None,
    naturalness: Annotated[
        float | None, Option(help="Weight of the distance from photographs; default: 0.", rich_help_panel=_NATURAL)
    ] = None,
    crops: Annotated[str, Option(help="Photographs: a folder of them, or demo.", rich_help_panel=_NATURAL)] = "demo",
    gate: Annotated[str, Option(help="d3net: close or open its depurator.", rich_help_panel=_SEARCH)] = "none",
    canvas: Annotated[
        int | None, Option(help="Side of the patch's picture; 0: as large as seen.", rich_help_panel=_SEARCH)
    ] = None,
    smooth: Annotated[float | None, Option(help="Weight of the total variation.", rich_help_panel=_SEARCH)] = None,
    printable: Annotated[float | None, Option(help="Weight of printable colours.", rich_help_panel=_SEARCH)] = None,
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
    save_images: options.SaveImages = "auto",
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    progress: options.Progress = True,
    dry_run: options.DryRun = False,
) -> None:
    """Make patches, one for each image or one for all, and measure them beside control patches."""
    refuse_unknown(own.typed(context.obj["extra"]), context.obj["known"], "patch make")
    run_make(context.params)
