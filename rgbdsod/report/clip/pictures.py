"""The pictures of a zero-shot attack: clean, adversarial and their difference, with what each is taken for."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rgbdsod.report.gallery import Shown
from rgbdsod.report.reading import Run
from rgbdsod.report.results import STATES
from rgbdsod.report.stored import PanelMaker
from rgbdsod.report.view import Card, Gallery, Headline

_SIDE = 384


def picture_gallery(run: Run, page: Path, shown: Shown) -> Gallery | None:
    """The gallery of an attack; None for a run that kept no pictures.

    Args:
        run: a zero-shot run.
        page: where the page will lie.
        shown: how much, and how.
    """
    if run.command != "clip attack" or shown.count == 0:
        return None
    attack = next(line["attack"] for line in run.metrics["rows"])
    maker = PanelMaker(page, ("rgb",), shown.gain, _SIDE)
    illustrated = [(row, files) for row in run.rows if (files := run.pictures(_folder(str(row["id"]))))]
    cards = tuple(_card(row, files, attack, maker) for row, files in illustrated[: shown.count])
    cards = tuple(card for card in cards if card.panels)
    states = {card.state for card in cards}
    note = (
        f"Pictures of {len(cards)} of {len(run.rows)} images, and the numbers of their classes: the true one, and what "
        f"each is taken for. Differences are signed and enlarged {shown.gain:g} times: mid-grey is unchanged."
    )
    named = tuple((state, label) for state, label in STATES.items() if state in states)
    return Gallery(cards, (("id", "id"),), note, named) if cards else None


def _card(row: Mapping[str, Any], files: Mapping[str, Path], attack: str, maker: PanelMaker) -> Card:
    after = row[f"prediction_{attack}"]
    state = "held" if after == row["label"] else "fooled"
    state = state if row["prediction"] == row["label"] else "below"
    values = (Headline("class", str(row["label"])), Headline("taken for", str(row["prediction"]), str(after)))
    name = str(row["id"])
    return Card(name, state, {}, values, maker.panels(name, files))


def _folder(sample_id: str) -> str:
    """The folder of an image's pictures: its id with what file systems do not take replaced."""
    return re.sub(r"[^A-Za-z0-9._ +-]+", "-", sample_id).strip("-. ") or "image"
