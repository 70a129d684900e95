"""The figures of an ablation, drawn from plain numbers."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from rgbdsod.report.ablation.styles import Style
from rgbdsod.report.svg import ATTACKED, CLEAN, INK, MUTED, PAPER, RULE, colour_of, page_style, to_svg
from rgbdsod.report.tables import GAP, Estimate, print_cell

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Curves: TypeAlias = Mapping[str, Sequence[tuple[float, Estimate]]]
"""By design: radii and values."""

_DODGE = 0.012  # of the x axis, between the error bars of two designs
_STRONGEST = 0.55  # opacity of the largest change, at which text on it is still read easily
_LEAST_SPAN = 0.2  # of the y axis of curves
_LEAST_HEAT = 0.1  # a change of this size is shown in full colour where none is larger
_SHARES = (-0.5, 1.5)  # the y axis of shares ends here, whatever their values
_KEY = 1.5  # inches, of an entry of the legend
_BAR = 0.8  # of the room of a group


@dataclass(frozen=True)
class Bars:
    """One group of bars: a name below it and an estimate for each bar, or None."""

    name: str
    values: tuple[Estimate | None, ...]


@dataclass(frozen=True)
class Heat:
    """A matrix of changes.

    Args:
        title: above it.
        rows, columns: names of both.
        changes: by row and column.
        bold: changes that are to be seen first.
        y, x: what rows and columns are.
    """

    title: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    changes: Mapping[tuple[str, str], float]
    bold: Collection[tuple[str, str]] = ()
    y: str = ""
    x: str = ""


def robustness(
    prefix: str, title: str, panels: Mapping[str, Mapping[str, Curves]], looks: Mapping[str, Style], *, x: str, y: str
) -> str:
    """A measure against the radius: a row for each model, a column for each attacked input, a line for each design.

    Args:
        prefix: makes element ids unique.
        title: read aloud instead of the picture.
        panels: by model, then by column title.
        looks: of the designs.
        x, y: axis labels.
    """
    columns = list(dict.fromkeys(name for row in panels.values() for name in row))
    with page_style():
        figure, grid = _grid(len(panels), len(columns), 3.0, 2.45)
        for line, (model, row) in zip(grid, panels.items(), strict=True):
            for axes, column in zip(line, columns, strict=True):
                _draw_curves(axes, row.get(column, {}), looks)
            line[0].set_ylabel(f"{model}\n{y}")
        for top, bottom, column in zip(grid[0], grid[-1], columns, strict=True):
            top.set_title(column, fontsize=10, color=INK)
            bottom.set_xlabel(x)
        _share_scale(grid)
        _add_legend(figure, _keys(panels, looks))
        return to_svg(figure, prefix, title)


def reliance(prefix: str, title: str, panels: Mapping[str, Sequence[Bars]], bars: Sequence[str], *, y: str) -> str:
    """Bars in groups, a panel for each model; the last bar of a group is an outline, the others grow fuller.

    Args:
        prefix: makes element ids unique.
        title: read aloud instead of the picture.
        panels: groups by model.
        bars: names of the bars of a group.
        y: axis label.
    """
    from matplotlib.patches import Patch

    faces = [_face(place, len(bars)) for place in range(len(bars))]
    with page_style():
        most = max(len(groups) for groups in panels.values())
        figure, grid = _grid(1, len(panels), max(3.0, 0.16 * most * len(bars)), 2.7)
        for axes, (model, groups) in zip(grid[0], panels.items(), strict=True):
            _draw_bars(axes, groups, faces)
            axes.set_title(model, fontsize=10, color=INK)
        grid[0][0].set_ylabel(y)
        keys = [Patch(label=name, **face) for name, face in zip(bars, faces, strict=True)]
        _add_legend(figure, keys)
        return to_svg(figure, prefix, title)


def heat(prefix: str, title: str, rows: Sequence[Sequence[Heat]]) -> str:
    """Matrices of changes side by side; the fuller a field, the larger the change, orange for losses, blue for gains.

    Args:
        prefix: makes element ids unique.
        title: read aloud instead of the picture.
        rows: matrices in rows of any length.
    """
    largest = max((abs(value) for row in rows for own in row for value in own.changes.values()), default=0.0)
    largest = max(largest, _LEAST_HEAT)
    wide = max((len(own.columns) for row in rows for own in row), default=1)
    high = max((len(own.rows) for row in rows for own in row), default=1)
    with page_style():
        figure, grid = _grid(len(rows), max(map(len, rows), default=1), 0.9 + 0.5 * wide, 0.9 + 0.34 * high, free=True)
        for line, row in zip(grid, rows, strict=True):
            for axes in line[len(row) :]:
                axes.set_visible(False)
            for axes, own in zip(line, row, strict=False):
                _draw_heat(axes, own, largest)
        return to_svg(figure, prefix, title)


def _add_legend(figure: "Figure", keys: Sequence[Any]) -> None:
    """Above the panels, in as many columns as there is room for."""
    room = max(1, int(figure.get_figwidth() / _KEY))
    figure.legend(handles=keys, loc="outside upper left", ncols=room, frameon=False, handlelength=2.6, fontsize=9.0)


def _grid(rows: int, columns: int, width: float, height: float, *, free: bool = False) -> "tuple[Figure, Any]":
    """A figure and its axes in rows and columns, each of the given size in inches; scales are shared unless free."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(max(1.6 + width * columns, 4.4), 0.7 + height * rows), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.08, h_pad=0.08)  # type: ignore[union-attr,call-arg]
    return figure, figure.subplots(rows, columns, squeeze=False, sharex=not free, sharey=not free)


def _draw_curves(axes: "Axes", curves: Curves, looks: Mapping[str, Style]) -> None:
    widest = max((eps for points in curves.values() for eps, _ in points), default=1.0)
    for place, (name, points) in enumerate(curves.items()):
        look, shift = looks[name], (place - (len(curves) - 1) / 2) * _DODGE * widest
        x, y = [eps + shift for eps, _ in points], [own.value for _, own in points]
        face = PAPER if look.hollow else look.colour
        axes.plot(x, y, color=look.colour, linestyle=look.dash, marker=look.marker, markersize=4.5, mfc=face, zorder=3)
        ends = [(own.low, own.high) for _, own in points]
        known = [(at, low, high) for at, (low, high) in zip(x, ends, strict=True) if low is not None]
        if known:
            at, low, high = zip(*known, strict=True)
            axes.vlines(at, low, high, color=look.colour, linewidth=0.9, zorder=2)
    axes.set_xticks(sorted({eps for points in curves.values() for eps, _ in points}))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.tick_params(color=RULE, labelbottom=True)


def _share_scale(grid: Any) -> None:
    """One y scale for all panels, wide enough that small changes look small."""
    drawn = [axes.dataLim for line in grid for axes in line if axes.has_data()]
    low, high = min(own.y0 for own in drawn), max(own.y1 for own in drawn)
    more = max(0.05 * (high - low), (_LEAST_SPAN - (high - low)) / 2)
    grid[0][0].set_ylim(low - more, high + more)


def _keys(panels: Mapping[str, Mapping[str, Curves]], looks: Mapping[str, Style]) -> list[Any]:
    from matplotlib.lines import Line2D

    shown = {name for row in panels.values() for curves in row.values() for name in curves}
    return [
        Line2D([], [], color=look.colour, linestyle=look.dash, marker=look.marker, markersize=4.5,
               mfc=PAPER if look.hollow else look.colour, label=name)
        for name, look in looks.items() if name in shown
    ]  # fmt: skip


def _face(place: int, count: int) -> dict[str, Any]:
    """Fill and edge of a bar: ever fuller, the last one hollow."""
    if count > 1 and place == count - 1:
        return {"facecolor": PAPER, "edgecolor": colour_of("run-2"), "linewidth": 1.4}
    share = (place + 1) / max(1, count - 1)
    return {"facecolor": colour_of("run-1"), "alpha": 0.25 + 0.65 * share, "linewidth": 0.0}


def _draw_bars(axes: "Axes", groups: Sequence[Bars], faces: Sequence[Mapping[str, Any]]) -> None:
    width = _BAR / max(1, len(faces))
    for place, group in enumerate(groups):
        for turn, (own, face) in enumerate(zip(group.values, faces, strict=True)):
            at = place + (turn - (len(faces) - 1) / 2) * width
            if own is None:
                axes.text(at, 0.01, GAP, ha="center", color=MUTED)
                continue
            axes.bar(at, own.value, width * 0.9, zorder=2, **face)
            if own.low is not None and own.high is not None:
                axes.vlines(at, own.low, own.high, color=INK, linewidth=0.9, zorder=3)
    axes.axhline(0.5, color=MUTED, linewidth=0.8, linestyle="dashed", zorder=1)
    values = [own.value for group in groups for own in group.values if own is not None]
    axes.set_ylim(max(_SHARES[0], min([0.0, *values])), min(_SHARES[1], max([1.0, *values])))
    axes.set_xlim(-0.6, len(groups) - 0.4)
    axes.set_xticks(range(len(groups)), [group.name for group in groups])
    axes.grid(visible=False, axis="x")
    axes.tick_params(axis="x", length=0)
    axes.tick_params(axis="y", labelleft=True, color=RULE)


def _draw_heat(axes: "Axes", own: Heat, largest: float) -> None:
    from matplotlib.patches import Rectangle

    for (row, column), value in own.changes.items():
        x, y = own.columns.index(column), own.rows.index(row)
        colour, alpha = ATTACKED if value < 0 else CLEAN, _STRONGEST * abs(value) / largest
        axes.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor=colour, alpha=alpha, linewidth=0))
        weight = "bold" if (row, column) in own.bold else "normal"
        axes.text(x, y, print_cell(value, "change", 2), ha="center", va="center", fontsize=9, fontweight=weight)
    axes.set(xlim=(-0.5, len(own.columns) - 0.5), ylim=(len(own.rows) - 0.5, -0.5), xlabel=own.x, ylabel=own.y)
    axes.set_xticks(range(len(own.columns)), own.columns, rotation=35, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(own.rows)), own.rows)
    axes.grid(visible=False)
    axes.tick_params(length=0)
    axes.set_title(own.title, fontsize=10, color=INK)
