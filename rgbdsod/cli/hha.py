"""`rgbdsod hha`: a folder of depth maps as HHA images."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Context, Option

from rgbdsod.cli import options
from rgbdsod.cli.layers import refuse_unknown
from rgbdsod.cli.screen import Screen
from rgbdsod.cli.sources import depth_range as parse_range
from rgbdsod.errors import UsageError

if TYPE_CHECKING:
    from rgbdsod.run.hha import HhaSettings

_METRIC = "Metric"
_PSEUDO = "Pseudo-HHA"


def command(
    context: Context,
    source: Annotated[str, Argument(help="A folder of depth maps, of images with one, or a depth map.")],
    camera: Annotated[
        str | None, Option(help="FX,FY,CX,CY in pixels, or a file with the matrix.", rich_help_panel=_METRIC)
    ] = None,
    zero_based: Annotated[
        bool, Option("--zero-based", help="The camera numbers pixels from 0, not 1.", rich_help_panel=_METRIC)
    ] = False,
    per_metre: Annotated[
        float | None, Option(help="The files' units in a metre; default: 1000, floats 1.", rich_help_panel=_METRIC)
    ] = None,
    raw: Annotated[
        str | None, Option(help="Folder of the unfilled maps, in which 0 is missing.", rich_help_panel="What")
    ] = None,
    pattern: Annotated[str, Option(help="Only files like this: '*.png'.", rich_help_panel="What")] = "*",
    missing: Annotated[
        str, Option(help="Pixels without angle or depth: reference, mean or mask.", rich_help_panel="What")
    ] = "reference",
    pseudo: Annotated[bool, Option("--pseudo", help="Assume camera and distances.", rich_help_panel=_PSEUDO)] = False,
    near: Annotated[float, Option(help="Metres that depth 1 stands for.", rich_help_panel=_PSEUDO)] = 1.0,
    far: Annotated[float, Option(help="Metres that depth 0 stands for.", rich_help_panel=_PSEUDO)] = 10.0,
    scale: Annotated[str, Option(help="disparity or linear.", rich_help_panel=_PSEUDO)] = "disparity",
    gravity: Annotated[bool, Option("--gravity", help="Estimate gravity here too.", rich_help_panel=_PSEUDO)] = False,
    depth_invert: options.DepthInvert = None,
    depth_range: options.DepthRange = None,
    out: Annotated[str, Option(help="The folder.", rich_help_panel="Run")] = "hha",
    set_: options.Set = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    progress: options.Progress = True,
) -> None:
    """Turn depth maps into HHA images: disparity, height above ground, angle with gravity."""
    refuse_unknown(context.obj["extra"], context.obj["known"], "hha")
    flags = context.params
    screen = Screen.of(flags)
    if (camera is None) != pseudo:
        raise UsageError(
            "metric HHA needs --camera FX,FY,CX,CY or a file with the matrix; where no camera is known, "
            "--pseudo assumes one (pass one of the two)"
        )
    settings = _settings(flags)

    from rgbdsod.run.hha import convert, find_depth_files

    files = find_depth_files(Path(source).expanduser(), pattern)
    kind = "pseudo-HHA" if pseudo else "HHA"
    screen.header(f"depth   {files[0].parent}   {len(files)} maps")
    with screen.progress("hha", "maps") as advance:
        record = convert(files, Path(out), settings, advance)
    for text in record["warnings"]:
        screen.warn(text)
    if json:
        screen.document({"schema": "rgbdsod.hha/1"} | record)
        return
    screen.result(f"saved   {out}    {len(files)} {kind} images, and how they were made in {out}/hha.json")


def _settings(flags: dict[str, Any]) -> "HhaSettings":
    """What the flags say; each of the two kinds has flags of its own."""
    metric = {"zero_based": False, "per_metre": None}
    relative = {
        "near": 1.0, "far": 10.0, "scale": "disparity", "gravity": False, "depth_invert": None, "depth_range": None,
    }  # fmt: skip
    for name, default in (metric if flags["pseudo"] else relative).items():
        if flags[name] != default:
            other = "--camera" if flags["pseudo"] else "--pseudo"
            raise UsageError(f"--{name.replace('_', '-')} belongs to {other}; leave it out")

    from rgbdsod.datasets import DepthConvention, DepthScale, read_camera
    from rgbdsod.run.hha import HhaSettings

    return HhaSettings(
        camera=None if flags["pseudo"] else read_camera(flags["camera"], zero_based=flags["zero_based"]),
        per_metre=flags["per_metre"],
        convention=DepthConvention("dark" if flags["depth_invert"] else "bright", parse_range(flags["depth_range"])),
        scale=DepthScale(flags["near"], flags["far"], flags["scale"]),
        raw=Path(flags["raw"]) if flags["raw"] else None,
        missing=flags["missing"],
        estimate_gravity=flags["gravity"],
    )
