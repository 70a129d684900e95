"""Which inputs an attack may change, and by how much: from what a user typed to one radius for each input."""

from collections.abc import Mapping, Sequence

from rgbdsod.attacks.budget import NORMS, check_eps
from rgbdsod.errors import UsageError

Eps = float | Sequence[float] | Mapping[str, float | Sequence[float]]
"""One radius for all attacked inputs, several to try one after another, or either by input."""

Radii = dict[str, float]
"""A radius for each attacked input."""

DEFAULT_EPS = 8 / 255

NO_BOUND = 1e9
"""A radius that no image reaches: what attacks that look for the smallest change have unless one is given."""

_EXAMPLES = {"l2": "5", "l1": "200", "l0": "100"}


def parse_eps(text: str, flag: str = "--eps") -> tuple[float, ...]:
    """Numbers and fractions, separated by commas: "2/255,0.05".

    Raises:
        UsageError: when something else stands there.
    """
    return tuple(parse_number(part, flag) for part in text.split(","))


def parse_number(text: str, flag: str) -> float:
    """A number or a fraction: "0.05", "8/255".

    Raises:
        UsageError: when something else stands there.
    """
    above, slash, below = text.strip().partition("/")
    try:
        return float(above) / float(below) if slash else float(above)
    except (ValueError, ZeroDivisionError):
        raise UsageError(f"{flag} {text.strip()}: expected a number, or a fraction such as 8/255") from None


def show_eps(value: float) -> str:
    """A radius as people write it: 8/255."""
    if value == NO_BOUND:
        return "any"
    levels = value * 255
    if 0 < value <= 1 and abs(levels - round(levels)) < 1e-9:
        return f"{round(levels)}/255"
    return f"{value:g}"


def attacked_inputs(
    modality: str | None, inputs: Sequence[str], model: str, eps: Eps | None = None, *, flag: str = "--modality"
) -> tuple[str, ...]:
    """The inputs that may change.

    Args:
        modality: an input, or "both" ("joint") for all; None: those that `eps` names, else all.
        inputs: of the model; model: its name, for the message.
        eps: what the user gave.
        flag: that gave the modality, for messages.

    Raises:
        UsageError: when the model has no such input, or a radius is given for one that stays untouched.
    """
    named = tuple(eps) if isinstance(eps, Mapping) else ()
    known = ", ".join(inputs)
    for name in named:
        if name not in inputs:
            raise UsageError(f"--eps-{name}: {model} has inputs {known}")
    if modality is None:
        return tuple(name for name in inputs if name in named) or tuple(inputs)
    if modality in ("both", "joint"):
        return tuple(inputs)
    if modality not in inputs:
        raise UsageError(f"{flag} {modality}: {model} has inputs {known}")
    for name in named:
        if name != modality:
            raise UsageError(f"--eps-{name} has no effect: {flag} {modality} leaves {name} untouched")
    return (modality,)


def all_radii(attacked: Sequence[str], eps: Eps | None, norm: str, *, bounded: bool = True) -> list[Radii]:
    """One set of radii for each value in the lists that a user gave.

    Args:
        attacked: inputs that may change.
        eps: what the user gave; None is 8/255 under the L-infinity norm.
        norm: of all radii.
        bounded: whether an attack needs a radius; without one it may go anywhere.

    Raises:
        UsageError: for a radius outside its range, an input or a norm without one, or lists of different lengths.
    """
    if eps is None and not bounded:
        eps = 1.0 if norm == "linf" else NO_BOUND
    columns = {name: _values(name, eps, norm) for name in attacked}
    lengths = {len(values) for values in columns.values()} - {1}
    if len(lengths) > 1:
        shown = ", ".join(f"{len(values)} for {name}" for name, values in columns.items())
        raise UsageError(f"lists of eps have different lengths ({shown}); give as many values for each input, or one")
    count = max(lengths, default=1)
    return [{name: values[i % len(values)] for name, values in columns.items()} for i in range(count)]


def _values(name: str, eps: Eps | None, norm: str) -> list[float]:
    flag = "--eps"
    if norm not in NORMS:
        raise UsageError(f'no norm "{norm}"; norms are {", ".join(NORMS)}')
    if isinstance(eps, Mapping):
        if eps.get(name) is None:
            raise UsageError(f"{name} is attacked too, but has no radius; pass --eps-{name}, or --eps for all inputs")
        flag, eps = f"--eps-{name}", eps[name]
    if eps is None:
        if norm != "linf":
            raise UsageError(
                f"--norm {norm} has no usual radius; give --eps, in units of the [0, 1] input "
                f"(for example --eps {_EXAMPLES.get(norm, '1')})"
            )
        return [DEFAULT_EPS]
    values = [float(eps)] if isinstance(eps, (int, float)) else [float(value) for value in eps]
    if not values:
        raise UsageError(f"{flag} is empty; give at least one radius, for example 8/255")
    for value in values:
        check_eps(value, norm, flag)
    return values
