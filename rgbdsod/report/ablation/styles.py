"""How each fusion design looks in every figure: colour, marker and line, so that no two rest on colour alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from rgbdsod.report.ablation.document import is_reference
from rgbdsod.report.svg import colour_of

Dash: TypeAlias = tuple[float, tuple[float, ...]]

_REFERENCES: tuple[tuple[str, str, Dash], ...] = (("run-6", "o", (0.0, (4.0, 2.0))), ("run-5", "s", (0.0, (1.0, 1.5))))
_SOLID: Dash = (0.0, (1.0, 0.0))  # no gap
_BROKEN: Dash = (0.0, (6.0, 2.0, 1.0, 2.0))
_COLOURS = ("run-1", "run-2", "run-3", "run-4")
_MARKERS = "os^DvPX*"


@dataclass(frozen=True)
class Style:
    """A line's look.

    Args:
        colour: stands for a variable of the page.
        marker: matplotlib's letter.
        dash: offset, then lengths on and off in line widths.
        hollow: whether the marker is only an outline.
    """

    colour: str
    marker: str
    dash: Dash
    hollow: bool


def styles(fusions: Sequence[str]) -> dict[str, Style]:
    """A style for each design; references are dashed and hollow."""
    made = {}
    references = [name for name in fusions if is_reference(name)]
    for place, name in enumerate(references):
        variable, marker, dash = _REFERENCES[place % len(_REFERENCES)]
        made[name] = Style(colour_of(variable), marker, dash, hollow=True)
    for place, name in enumerate(name for name in fusions if name not in made):
        dash = _SOLID if place % (2 * len(_COLOURS)) < len(_COLOURS) else _BROKEN
        made[name] = Style(colour_of(_COLOURS[place % len(_COLOURS)]), _MARKERS[place % 8], dash, hollow=False)
    return made
