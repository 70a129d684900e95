"""The figure of a leaderboard: for each entry the clean IoU and the score with its interval."""

from collections.abc import Mapping, Sequence
from typing import Any

from rgbdsod.report.svg import ATTACKED, CLEAN, INK, page_style, to_svg

_WIDTH, _LINE, _REST = 6.4, 0.34, 0.9  # inches: of the figure, of an entry, of the axis


def score_figure(entries: Sequence[Mapping[str, Any]], prefix: str, title: str) -> str:
    """One line for each entry, the best above.

    Args:
        entries: of a leaderboard's document.
        prefix: makes element ids unique.
        title: read aloud instead of the picture.
    """
    from matplotlib.figure import Figure

    places = range(len(entries))
    with page_style():
        figure = Figure(figsize=(_WIDTH, _LINE * len(entries) + _REST), layout="constrained")
        axes = figure.subplots()
        for at, row in zip(places, entries, strict=True):
            score = row["score"]
            axes.hlines(at, score["low"], score["high"], color=ATTACKED, linewidth=1.6)
            axes.plot(row["clean"]["value"], at, color=CLEAN, marker="o", markersize=5, linestyle="")
            axes.plot(
                score["value"], at, color=ATTACKED, marker="s", markersize=5.5, linestyle="",
                fillstyle="full" if row["valid"] else "none",
            )  # fmt: skip
        axes.set_yticks(list(places), [row["name"] for row in entries], color=INK)
        axes.set(xlim=(-0.02, 1.02), ylim=(len(entries) - 0.5, -0.5), xlabel="IoU")
        return to_svg(figure, prefix, title)
