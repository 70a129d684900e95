"""The page's figures: curves, damage per image, training history."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from rgbdsod.report.svg import ATTACKED, CLEAN, MUTED, RULE, RUNS, colour_of, page_style, to_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Line: TypeAlias = tuple[Sequence[float], Sequence[float]]
"""x values and y values."""

_LABELLED = 40  # more images than this have no room for their ids below the axis
_DOTTED = 400  # more than this would overlap, and weigh a page down


def curves(prefix: str, title: str, lines: Mapping[str, Line], *, x: str, y: str) -> str:
    """Curves over [0, 1], one colour a name ("clean" and "attacked" have their own).

    Args:
        prefix: makes element ids unique.
        title: read aloud instead of the picture.
        lines: by name.
        x, y: axis labels.
    """
    with page_style():
        figure, axes = _axes(3.6, 3.3)
        for line, colour in zip(lines.values(), _colours(lines), strict=True):
            axes.plot(*line, color=colour, solid_capstyle="round")
        axes.set(xlabel=x, ylabel=y, xlim=(0, 1), ylim=(0, 1.02))
        axes.set_aspect("equal", adjustable="box")
        return to_svg(figure, prefix, title)


def damage(prefix: str, title: str, ids: Sequence[str], clean: Sequence[float], attacked: Sequence[float]) -> str:
    """Clean and attacked value of each image, joined by a line, most damaged first.

    Args:
        prefix: makes element ids unique.
        title: read aloud instead of the picture.
        ids: one an image, already in the order to draw.
        clean, attacked: S-measure of the image, in [0, 1].
    """
    places = range(len(ids))
    named = len(ids) <= _LABELLED
    with page_style():
        figure, axes = _axes(max(4.0, min(12.0, 1.2 + 0.32 * len(ids))), 3.3 if named else 2.6)
        if len(ids) <= _DOTTED:
            width, size = (1.4, 22.0) if named else (0.6, 7.0)
            axes.vlines(places, clean, attacked, color=MUTED, linewidth=width)
            axes.scatter(places, clean, s=size, color=CLEAN, zorder=3)
            axes.scatter(places, attacked, s=size, color=ATTACKED, zorder=3, marker="s")
        else:
            axes.plot(places, clean, color=CLEAN, linewidth=0.7)
            axes.plot(places, attacked, color=ATTACKED, linewidth=0.7)
        axes.set(ylabel="S-measure", ylim=(0, 1.02), xlim=(-0.7, len(ids) - 0.3))
        axes.grid(visible=False, axis="x")
        if named:
            axes.set_xticks(places, [_short(name) for name in ids], rotation=60, ha="right", rotation_mode="anchor")
        else:
            axes.set_xlabel(f"{len(ids)} images, most damaged first")
        axes.tick_params(axis="x", length=0)
        return to_svg(figure, prefix, title)


def history(
    prefix: str, title: str, lines: Mapping[str, Line], *, x: str, y: str, labels: Sequence[str] | None = None
) -> str:
    """Values over the course of something, one colour a name.

    Args:
        prefix: makes element ids unique.
        title: read aloud instead of the picture.
        lines: by name.
        x, y: axis labels.
        labels: of the places 0, 1, ... on the x axis, where those are no numbers.
    """
    with page_style():
        figure, axes = _axes(5.2, 3.0)
        for line, colour in zip(lines.values(), _colours(lines), strict=True):
            axes.plot(*line, color=colour, marker="o" if len(line[0]) < 30 else None, markersize=3)
        axes.set(xlabel=x, ylabel=y)
        if labels is not None:
            axes.set_xticks(range(len(labels)), labels)
        axes.margins(x=0.02)
        return to_svg(figure, prefix, title)


def variable(name: str, place: int) -> str:
    """The page's colour variable of a line: "clean" and "attacked" have their own, others go by their place."""
    return name if name in ("clean", "attacked") else f"run-{place % len(RUNS) + 1}"


def _axes(width: float, height: float) -> "tuple[Figure, Axes]":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.tick_params(color=RULE)
    return figure, axes


def _colours(lines: Mapping[str, Line]) -> list[str]:
    return [colour_of(variable(name, place)) for place, name in enumerate(lines)]


def _short(name: str, limit: int = 18) -> str:
    return name if len(name) <= limit else f"{name[: limit - 7]}…{name[-6:]}"
