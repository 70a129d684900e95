"""The figure of a benchmark: what is lost against the radius, one panel for each attack."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from rgbdsod.report.benchmark.document import BenchDocument, Target, attack_name, estimate_of
from rgbdsod.report.svg import INK, RULE, RUNS, page_style, to_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

_Style = tuple[Literal["-", "--", ":"], str]

_STYLES: Mapping[str, _Style] = {"rgb": ("--", "o"), "depth": (":", "^")}
_ALL: _Style = ("-", "s")  # all inputs, or the only one
_WIDTH, _HEIGHT = 2.9, 3.1  # inches of a panel
_APART = 0.06  # of the distance between radii, between two networks


def loss_figure(document: BenchDocument, kind: str, prefix: str, title: str, *, named: bool = False) -> str:
    """Panels side by side with the same axes.

    Args:
        document: of the benchmark.
        kind: "loss" or "share".
        prefix: makes element ids unique.
        title: read aloud instead of the picture, and beside the vertical axis.
        named: write below which line is which, where no page does.
    """
    from matplotlib.figure import Figure

    attacks = document.attacks
    with page_style():
        figure = Figure(figsize=(_WIDTH * len(attacks) + 0.4, _HEIGHT), layout="constrained")
        panels = figure.subplots(1, len(attacks), sharey=True, squeeze=False)[0]
        for axes, attack in zip(panels, attacks, strict=True):
            _panel(axes, document, kind, attack)
        panels[0].set_ylabel(title)
        if named:
            figure.legend(*_legend(document), loc="outside lower center", ncols=4, frameon=False, labelcolor=INK)
        return to_svg(figure, prefix, title)


def colour_place(document: BenchDocument, target: Target) -> int:
    """Which of the page's colours a network has, from 0 on."""
    return document.networks.index(target.network) % len(RUNS)


def _legend(document: BenchDocument) -> tuple[list["Line2D"], list[str]]:
    from matplotlib.lines import Line2D

    handles = []
    for target in document.targets:
        line, marker = _STYLES.get(target.modality, _ALL)
        handles.append(
            Line2D([], [], color=RUNS[colour_place(document, target)], linestyle=line, marker=marker, markersize=3.5)
        )
    return handles, [_plain(target.name) for target in document.targets]


def _panel(axes: "Axes", document: BenchDocument, kind: str, attack: str) -> None:
    radii = document.radii(attack)
    targets = document.targets
    for place, target in enumerate(targets):
        found = [(at, estimate_of(document.find(target, attack, eps), kind)) for at, eps in enumerate(radii)]
        points = [(at + _APART * (place - (len(targets) - 1) / 2), own) for at, own in found if own is not None]
        colour, (line, marker) = RUNS[colour_place(document, target)], _STYLES.get(target.modality, _ALL)
        axes.plot(
            [at for at, _ in points], [own.value for _, own in points], color=colour, linestyle=line, marker=marker,
            markersize=3.5, linewidth=1.3,
        )  # fmt: skip
        for at, own in points:
            if own.low is not None and own.high is not None:
                axes.vlines(at, own.low, own.high, color=colour, linewidth=0.8, alpha=0.7)
    axes.set_xticks(range(len(radii)), [f"{eps * 255:g}" for eps in radii])
    axes.set_title(_plain(attack_name(attack)), fontsize=10, color=INK)
    axes.set(xlabel="radius, in 1/255", xlim=(-0.5, len(radii) - 0.5), ylim=(-0.05, 1.05))
    axes.tick_params(color=RULE)


def _plain(text: str) -> str:
    """A name as matplotlib draws it letter by letter, where a dollar would begin a formula."""
    return text.replace("$", r"\$")
