"""`rgbdsod interpolate`: networks between a clean and a hardened one, and what each withstands."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Context, Option

from rgbdsod.cli import options
from rgbdsod.cli.layers import refuse_unknown
from rgbdsod.cli.screen import Screen
from rgbdsod.cli.sources import open_data, working_size

if TYPE_CHECKING:
    from rgbdsod.models import SaliencyModel
    from rgbdsod.run.interpolate import CurvePoint

_ATTACK = "Attack"
_SHOWN = ("sm", "iou_bin", "mae")


def command(
    context: Context,
    clean: Annotated[str, Argument(help="Weights of a clean training.")],
    robust: Annotated[str, Argument(help="Weights of a hardened training of the same network.")],
    model: options.Model = "bbsnet",
    fusion: options.Fusion = None,
    encoder: options.Encoder = None,
    size: options.Size = None,
    alpha: Annotated[str, Option(help="Shares of the hardened weights: 0.5; 0,0.5,1; 0:1:0.25.")] = "0.5",
    attack: Annotated[
        str | None, Option(help="A name of `list attacks`: also measure clean and attacked.", rich_help_panel=_ATTACK)
    ] = None,
    data: options.Data = "demo",
    limit: options.Limit = None,
    modality: Annotated[str | None, Option(help="rgb, depth or both.", rich_help_panel=_ATTACK)] = None,
    eps: Annotated[str | None, Option(help="Radius; default: 8/255.", rich_help_panel=_ATTACK)] = None,
    steps: Annotated[int | None, Option(help="Of the attack.", rich_help_panel=_ATTACK)] = None,
    device: options.Device = "auto",
    seed: options.Seed = 0,
    out: options.Out = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    progress: options.Progress = True,
) -> None:
    """Write networks between a clean and a hardened one, and measure what each withstands."""
    refuse_unknown(context.obj["extra"], context.obj["known"], "interpolate")
    run_interpolate(context.params)


def run_interpolate(flags: Mapping[str, Any]) -> None:
    """Check everything, then walk from one network to the other.

    Args:
        flags: the command's parameters by name.
    """
    from rgbdsod.models import load_model
    from rgbdsod.run.clip.interpolate import parse_path
    from rgbdsod.run.interpolate import interpolation_curve

    screen, size, alphas = Screen.of(flags), working_size(flags), parse_path(flags["alpha"], "--alpha")
    wanted = _wanted(flags)

    def opened(weights: str) -> "SaliencyModel":
        found = load_model(flags["model"], weights, flags["fusion"], flags["encoder"], flags["device"])
        return found if size is None else found.at(size)

    images = None if flags["attack"] is None else open_data(flags, screen)
    folder = Path(flags["out"] or f"runs/interpolate/{flags['model']}")
    points = []
    if images is not None and not screen.as_json:
        screen.result("alpha   " + "".join(f"{name:>9}" for name in _SHOWN) + "".join(f"{'attacked ' + name:>18}"
                                                                                    for name in _SHOWN))  # fmt: skip
    for point in interpolation_curve(
        opened(flags["clean"]), opened(flags["robust"]), alphas, out=folder, data=images, **wanted
    ):
        points.append(point)
        if not screen.as_json:
            screen.result(_line(point))
    if screen.as_json:
        screen.document(_document(flags, points))


def _wanted(flags: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of the attack.

    Raises:
        UsageError: they are given without one.
    """
    from rgbdsod.errors import UsageError
    from rgbdsod.run.threats import parse_number

    given = {name: flags[name] for name in ("attack", "modality", "eps", "steps") if flags[name] is not None}
    if flags["attack"] is None:
        for name in given:
            raise UsageError(f"--{name} has no effect without --attack pgd")
        return {}
    if "eps" in given:
        given["eps"] = parse_number(given["eps"], "--eps")
    return given | {"seed": flags["seed"]}


def _line(point: "CurvePoint") -> str:
    if not point.clean:
        return f"saved   {point.weights}"
    clean = "".join(f"{point.clean[name]:9.3f}" for name in _SHOWN)
    return f"{point.alpha:<8.3g}{clean}" + "".join(f"{point.robust[name]:18.3f}" for name in _SHOWN)


def _document(flags: Mapping[str, Any], points: "list[CurvePoint]") -> dict[str, Any]:
    return {
        "schema": "rgbdsod.interpolate/1",
        "model": flags["model"],
        "points": [
            {"alpha": point.alpha, "weights": str(point.weights), "clean": point.clean, "robust": point.robust}
            for point in points
        ],
    }
