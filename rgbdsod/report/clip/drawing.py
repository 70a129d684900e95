"""Figures of zero-shot runs: clean against robust accuracy, and the way between two sets of weights."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from rgbdsod.report.svg import INK, MUTED, RULE, RUNS, page_style, to_svg
from rgbdsod.report.tables import Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MARKERS = ("o", "s", "D", "^", "v", "P")
_NAMED = 24  # more points than this have no room for their names


class Point(NamedTuple):
    """One mark of a plane.

    Attributes:
        name: beside it.
        clean, robust: accuracies in [0, 1] with their intervals.
    """

    name: str
    clean: Estimate
    robust: Estimate


def plane(prefix: str, title: str, points: Mapping[str, Sequence[Point]], *, joined: bool = False) -> str:
    """Robust against clean accuracy, with 95 % interval bars.

    Args:
        prefix: makes element ids unique.
        title: read aloud instead of the picture.
        points: by attack.
        joined: draw a line through the points of an attack, in their order.
    """
    named = sum(map(len, points.values())) <= _NAMED
    with page_style():
        figure, axes = _axes()
        for place, (attack, own) in enumerate(points.items()):
            colour, marker = RUNS[place % len(RUNS)], _MARKERS[place % len(_MARKERS)]
            x, y = ([getattr(point, side).value for point in own] for side in ("clean", "robust"))
            axes.plot(x, y, color=colour, marker=marker, markersize=4.5, linestyle="-" if joined else "", label=attack)
            _bars(axes, own, colour)
            for point in own if named else ():
                axes.annotate(
                    point.name, (point.clean.value, point.robust.value), xytext=(4, 3), textcoords="offset points",
                    fontsize=7.5, color=MUTED,
                )  # fmt: skip
        axes.set(xlabel="clean accuracy", ylabel="robust accuracy", xlim=(-0.02, 1.05), ylim=(-0.02, 1.05))
        axes.plot((0, 1), (0, 1), color=RULE, linewidth=0.8, zorder=0)
        axes.legend(frameon=False, loc="upper left", labelcolor=INK)
        return to_svg(figure, prefix, title)


def _bars(axes: "Axes", points: Sequence[Point], colour: str) -> None:
    for point in points:
        x, y = point.clean, point.robust
        if y.low is not None and y.high is not None:
            axes.vlines(x.value, y.low, y.high, color=colour, linewidth=0.8)
        if x.low is not None and x.high is not None:
            axes.hlines(y.value, x.low, x.high, color=colour, linewidth=0.8)


def _axes() -> "tuple[Figure, Axes]":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2, 4.6), layout="constrained")
    axes = figure.add_subplot()
    axes.tick_params(color=RULE)
    return figure, axes
