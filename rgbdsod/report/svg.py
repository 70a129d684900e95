"""Matplotlib figures as inline SVG that follows the page's colours and fonts, in light and dark."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from io import StringIO
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Colours that stand for the page's variables; `to_svg` puts the variable's name in their place.
INK, MUTED, RULE, CLEAN, ATTACKED, PAPER = (f"#00000{i}" for i in range(1, 7))
RUNS = tuple(f"#00001{i}" for i in range(6))
_VARIABLES = {
    INK: "ink", MUTED: "muted", RULE: "rule", CLEAN: "clean", ATTACKED: "attacked", PAPER: "paper",
    **{colour: f"run-{i + 1}" for i, colour in enumerate(RUNS)},
}  # fmt: skip
_COLOURS = {variable: colour for colour, variable in _VARIABLES.items()}
_STYLE = {
    "svg.fonttype": "none",  # text stays text: it can be searched, read aloud, and takes the page's font
    "font.size": 9.0,
    "text.color": INK,
    "axes.edgecolor": RULE,
    "axes.labelcolor": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.5,
    "xtick.color": RULE,
    "ytick.color": RULE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "lines.linewidth": 1.6,
}


def colour_of(variable: str) -> str:
    """The colour that stands for one of the page's variables ("run-1")."""
    return _COLOURS[variable]


@contextmanager
def page_style() -> Iterator[None]:
    """Within it, new figures wear the page's style; the caller's matplotlib settings are untouched."""
    from matplotlib import rc_context, rcParamsDefault

    settings: dict[Any, Any] = {key: value for key, value in rcParamsDefault.items() if not key.startswith("backend")}
    with rc_context(settings | _STYLE):
        yield


def to_svg(figure: "Figure", prefix: str, title: str) -> str:
    """The figure as an `<svg>` element to be put into HTML.

    Args:
        figure: drawn inside `page_style`.
        prefix: makes the element ids unique on the page.
        title: what the picture says, for those who do not see it.
    """
    from matplotlib import rc_context

    text = StringIO()
    with rc_context({"svg.hashsalt": prefix, "svg.fonttype": "none"}):
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    body = text.getvalue()
    body = body[body.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", body, flags=re.DOTALL)
    width = round(float(figure.get_figwidth()) * 96)
    body = re.sub(r' width="[\d.]+pt" height="[\d.]+pt"', f' style="width: {width}px"', body, count=1)
    body = re.sub(r"; font-family: [^;\"]*|font-family: [^;\"]*; ?", "", body)
    body = re.sub(r'\bid="', f'id="{prefix}-', body)
    body = re.sub(r'(href="#|url\(#)', rf"\g<1>{prefix}-", body)
    body = re.sub(r"#0000[01]\d\b", lambda match: f"var(--{_VARIABLES[match[0]]})", body)
    body = re.sub(r"\s*\n\s*", " ", body)
    return body.replace("<svg ", f'<svg role="img" aria-label="{escape(title)}" ', 1)
