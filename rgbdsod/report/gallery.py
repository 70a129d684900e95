"""The gallery: which images, in which order, and what must be known to read their panels."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

from rgbdsod.report.panels import DEPTH_COLOURS, GAIN
from rgbdsod.report.reading import Run
from rgbdsod.report.results import STATES
from rgbdsod.report.stored import PanelMaker
from rgbdsod.report.tables import print_cell
from rgbdsod.report.values import attacked_inputs, results, rows_of, state_of
from rgbdsod.report.view import Card, Gallery, Headline

_SORT_KEYS = {"sm": "sm", "mae": "mae", "iou_bin": "iou"}
_SORTS = {"sm": "drop in S-measure", "mae": "rise in MAE", "iou": "drop in IoU", "id": "id"}
_CLEAN_SORTS = {"sm": "lowest S-measure", "mae": "highest MAE", "iou": "lowest IoU", "id": "id"}
_PRINTED = {"sm": "S", "mae": "MAE", "iou_bin": "IoU"}
_SIDES = ((12, 640), (32, 512), (inf, 384))
_NAMED = 3


@dataclass(frozen=True)
class Shown:
    """How pictures are shown.

    Args:
        count: at most so many images, the most damaged ones; None: all.
        gain: factor on differences.
    """

    count: int | None = 24
    gain: float = GAIN


def build_gallery(run: Run, page: Path, shown: Shown) -> tuple[Gallery | None, tuple[str, ...]]:
    """The gallery of a run.

    Args:
        run: an attack or an evaluation.
        page: where the page will lie.
        shown: how much, and how.

    Returns:
        The gallery, None where there is no picture to show; and what a reader must be told about missing pictures.
    """
    if shown.count == 0:
        return None, ()
    found = results(run)
    rows = rows_of(run, max(0, len(found) - 1))
    illustrated = [(row, files) for row in rows if (files := run.pictures(str(row["id"])))]
    illustrated.sort(key=lambda pair: next(iter(_damage(pair[0]).values()), 0.0), reverse=True)
    chosen = illustrated[: shown.count]
    attacked = attacked_inputs(found[-1]) if found else []
    maker = PanelMaker(page, attacked, shown.gain, _side(len(chosen)))
    cards = [_card(row, files, maker) for row, files in chosen]
    cards = [card for card in cards if card.panels]
    notes = _notes(run, maker, any_file=bool(illustrated))
    return (_gallery(cards, len(rows), maker, attack=bool(found)) if cards else None), notes


def _side(images: int) -> int:
    """Longer side of an embedded picture in pixels, so that a page of many images remains one that opens."""
    return next(side for most, side in _SIDES if images <= most)


def _gallery(cards: list[Card], images: int, maker: PanelMaker, *, attack: bool) -> Gallery:
    states = {card.state for card in cards}
    sorts = _SORTS if attack else _CLEAN_SORTS
    return Gallery(
        cards=tuple(cards),
        sorts=tuple((key, label) for key, label in sorts.items() if key == "id" or key in cards[0].damage),
        note=" ".join(_legend(len(cards), images, maker)),
        states=tuple((state, label) for state, label in STATES.items() if state in states),
    )


def _legend(cards: int, images: int, maker: PanelMaker) -> list[str]:
    """How to read the panels, in sentences."""
    sentences = [
        f"Pictures of {cards} of {images} images." if cards < images else f"All {images} images.",
        "Numbers are of the raw protocol.",
        f"Depth has the colours of matplotlib's {DEPTH_COLOURS}: near is bright, far is dark, over all of [0, 1] "
        "and not stretched.",
    ]
    if maker.attacked:
        sentences.append(
            f"Differences are signed and enlarged {maker.gain:g} times: mid-grey is unchanged, lighter is raised "
            f"(depth: nearer), and a change of {128 / maker.gain:g}/255 reaches white or black."
        )
    if maker.cut > 0:
        sentences.append(f"In the strongest one {maker.cut:.0%} of the values changed by more than that.")
    return sentences


def _notes(run: Run, maker: PanelMaker, *, any_file: bool) -> tuple[str, ...]:
    if not any_file:
        return (f"No pictures: {run.path / 'images'} holds none (see --save-images).",)
    if not maker.broken:
        return ()
    count = len(maker.broken)
    named = ", ".join(maker.broken[:_NAMED]) + (", ..." if count > _NAMED else "")
    return (f"{count} picture{'s' if count > 1 else ''} cannot be read: {named}.",)


def _card(row: Mapping[str, Any], files: Mapping[str, Path], maker: PanelMaker) -> Card:
    views = ("clean", "attacked") if "fooled" in row else ("clean",)
    values = tuple(
        Headline(label, *(print_cell(row[f"{view}_{metric}_raw"]) for view in views))
        for metric, label in _PRINTED.items()
        if f"clean_{metric}_raw" in row
    )
    name = str(row["id"])
    return Card(name, state_of(row), _damage(row), values, maker.panels(name, files))


def _damage(row: Mapping[str, Any]) -> dict[str, float]:
    """Sort keys of an image, larger is worse; without an attack how far its map is from a perfect one."""
    found = {}
    for metric, key in _SORT_KEYS.items():
        clean, after = row.get(f"clean_{metric}_raw"), row.get(f"attacked_{metric}_raw")
        if clean is None:
            continue
        best = 0.0 if metric == "mae" else 1.0
        drop = best - clean if after is None else clean - after
        found[key] = -drop if metric == "mae" else drop
    return found
