"""`rgbdsod interpolate`: networks between a clean and a hardened one, and what each withstands."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Context, Option

from rgbdsod.cli import options
from rgbdsod.cli.layers import refuse_unknown
from rgbdsod.cli.screen import Screen
from rgbdsod.cli.sources import open_data, working_size

if TYPE_CHECKING:
    from rgbdsod.models import SaliencyModel
    from rgbdsod.run.attack_settings import AttackSettings
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
    from rgbdsod.run.interpolate import Interpolation
    from rgbdsod.run.weight_line import parse_path

    screen, size, alphas = Screen.of(flags), working_size(flags), parse_path(flags["alpha"], "--alpha")
    attack = _attack(flags)
    line = Interpolation(
        _opened("CLEAN", flags["clean"], flags, size),
        _opened("ROBUST", flags["robust"], flags, size),
        alphas,
        out=flags["out"],
        data=None if attack is None else open_data(flags, screen),
        attack=attack,
    )
    with screen.progress("interpolate", "networks") as advance:
        points = list(line(lambda done: advance(done, len(alphas))))
    for text in _table(points):
        screen.result(text)
    screen.header(f"saved   {line.folder}    use with: rgbdsod attack --model {flags['model']} --weights "
                  f"{points[-1].weights}")  # fmt: skip
    if screen.as_json:
        screen.document(line.document(points))


def _opened(role: str, weights: str, flags: Mapping[str, Any], size: tuple[int, int] | None) -> "SaliencyModel":
    """One end of the line; errors say which."""
    from rgbdsod.errors import WeightsError
    from rgbdsod.models import load_model

    try:
        found = load_model(flags["model"], weights, flags["fusion"], flags["encoder"], flags["device"])
    except WeightsError as error:
        raise WeightsError(f"{role}: {error}") from error
    return found if size is None else found.at(size)


def _attack(flags: Mapping[str, Any]) -> "AttackSettings | None":
    """The attack that was asked for.

    Raises:
        UsageError: its flags are given without it.
    """
    from rgbdsod.errors import UsageError
    from rgbdsod.run.attack_settings import AttackSettings
    from rgbdsod.run.threats import parse_number

    if flags["attack"] is None:
        for name in ("modality", "eps", "steps", "limit"):
            if flags[name] is not None:
                raise UsageError(f"--{name} has no effect without --attack pgd")
        return None
    return AttackSettings(
        attack=flags["attack"],
        modality=flags["modality"],
        eps=None if flags["eps"] is None else parse_number(flags["eps"], "--eps"),
        parameters={} if flags["steps"] is None else {"steps": flags["steps"]},
        seed=flags["seed"],
    )


def _table(points: "list[CurvePoint]") -> list[str]:
    """A line for each network: what it withstands, or where it is."""
    if not points[0].clean:
        return [f"{point.alpha:<8.3g}{point.weights}" for point in points]
    head = "".join(f"{name:>9}" for name in _SHOWN) + "".join(f"{'attacked ' + name:>18}" for name in _SHOWN)
    return [f"{'alpha':<8}{head}", *map(_line, points)]


def _line(point: "CurvePoint") -> str:
    clean = "".join(f"{point.clean[name]:9.3f}" for name in _SHOWN)
    return f"{point.alpha:<8.3g}{clean}" + "".join(f"{point.robust[name]:18.3f}" for name in _SHOWN)
