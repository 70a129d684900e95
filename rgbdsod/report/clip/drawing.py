"""Figures of zero-shot runs: clean and robust accuracy of each set, and the way between two sets of weights."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from rgbdsod.report.svg import CLEAN, INK, MUTED, RULE, RUNS, page_style, to_svg
from rgbdsod.report.tables import Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MARKERS = ("o", "s", "D", "^", "v", "P")
_SPREAD = 0.6  # of the room of a set, for its marks
_LINE = 0.32  # inches, of a set


class Point(NamedTuple):
    """One mark.

    Attributes:
        name: of the set, or of the point on a path.
        clean, robust: accuracies in [0, 1] with their intervals.
    """

    name: str
    clean: Estimate
    robust: Estimate


def ladder(prefix: str, title: str, points: Mapping[str, Sequence[Point]]) -> str:
    """A line for each set: clean accuracy, and robust accuracy under each attack, with 95 % interval bars.

    Args:
        prefix: makes element ids unique.
        title: read aloud instead of the picture.
        points: by attack, one for each set.
    """
    names = list(dict.fromkeys(point.name for own in points.values() for point in own))
    with page_style():
        figure, axes = _axes(6.4, 1.0 + _LINE * len(names) * max(2, 0.6 * (len(points) + 1)))
        place = {name: -at for at, name in enumerate(names)}
        clean = {point.name: point.clean for own in points.values() for point in own}
        _marks(axes, [(clean[name], place[name] + _shift(0, len(points))) for name in names], CLEAN, "o", "clean")
        for turn, (attack, own) in enumerate(points.items(), start=1):
            marks = [(point.robust, place[point.name] + _shift(turn, len(points))) for point in own]
            _marks(axes, marks, RUNS[turn % len(RUNS)], _MARKERS[turn % len(_MARKERS)], attack)
        axes.set_yticks(list(place.values()), names)
        axes.set(xlabel="accuracy", xlim=(-0.02, 1.02), ylim=(-len(names) + 0.4, 0.6))
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
        figure.legend(loc="outside upper left", ncols=4, frameon=False, labelcolor=INK)
        return to_svg(figure, prefix, title)


def curve(prefix: str, title: str, points: Mapping[str, Sequence[Point]]) -> str:
    """Robust against clean accuracy along a path of weights.

    Args:
        prefix: makes element ids unique.
        title: read aloud instead of the picture.
        points: by attack, in the order of the path.
    """
    with page_style():
        figure, axes = _axes(5.2, 4.4)
        for turn, (attack, own) in enumerate(points.items()):
            colour, marker = RUNS[turn % len(RUNS)], _MARKERS[turn % len(_MARKERS)]
            x, y = [point.clean.value for point in own], [point.robust.value for point in own]
            axes.plot(x, y, color=colour, marker=marker, markersize=4.5, label=attack)
            for point in own:
                at = (point.clean.value, point.robust.value)
                axes.annotate(point.name, at, xytext=(4, 3), textcoords="offset points", fontsize=7.5, color=MUTED)
                if point.robust.low is not None and point.robust.high is not None:
                    axes.vlines(at[0], point.robust.low, point.robust.high, color=colour, linewidth=0.8)
        axes.set(xlabel="clean accuracy", ylabel="robust accuracy", ylim=(-0.02, 1.02))
        figure.legend(loc="outside upper left", ncols=4, frameon=False, labelcolor=INK)
        return to_svg(figure, prefix, title)


def _marks(axes: "Axes", marks: Sequence[tuple[Estimate, float]], colour: str, marker: str, label: str) -> None:
    axes.plot(
        [own.value for own, _ in marks], [y for _, y in marks], color=colour, marker=marker, markersize=4.5,
        linestyle="", label=label,
    )  # fmt: skip
    for own, y in marks:
        if own.low is not None and own.high is not None:
            axes.hlines(y, own.low, own.high, color=colour, linewidth=1.2)


def _shift(turn: int, attacks: int) -> float:
    """Where a mark lies in the room of its set, the clean one on top."""
    return _SPREAD * (0.5 - turn / max(1, attacks))


def _axes(width: float, height: float) -> "tuple[Figure, Axes]":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.tick_params(color=RULE)
    return figure, axes
