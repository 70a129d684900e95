"""The gallery: which images, which panels, and what must be known to read them."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from rgbdsod.report import panels
from rgbdsod.report.encode import Content, data_uri
from rgbdsod.report.panels import Bytes, Floats
from rgbdsod.report.reading import Run
from rgbdsod.report.results import STATES
from rgbdsod.report.tables import print_cell
from rgbdsod.report.values import attacked_inputs, results, rows_of, state_of
from rgbdsod.report.view import Card, Gallery, Headline, Panel
from rgbdsod.report.wording import INPUTS

_SHOWN = {"sm": "S", "mae": "MAE", "iou_bin": "IoU"}
_KEYS = {"sm": "sm", "mae": "mae", "iou_bin": "iou"}
_SORTS = {"sm": "drop in S-measure", "mae": "rise in MAE", "iou": "drop in IoU", "id": "id"}
_CLEAN_SORTS = {"sm": "lowest S-measure", "mae": "highest MAE", "iou": "lowest IoU", "id": "id"}
_NAMED = 3


@dataclass(frozen=True)
class Shown:
    """How pictures are shown.

    Args:
        count: at most so many images, the most damaged ones.
        gain: factor on differences.
        side: longer side of an embedded picture, in pixels.
    """

    count: int = 24
    gain: float = panels.GAIN
    side: int = 512


@dataclass
class _Read:
    """What was found while pictures were read."""

    broken: list[str] = field(default_factory=list)
    cut: float = 0.0


def build_gallery(run: Run, page: Path, shown: Shown) -> tuple[Gallery | None, tuple[str, ...]]:
    """The gallery of a run.

    Args:
        run: an attack or an evaluation.
        page: where the page will lie; links to stored files are relative to it.
        shown: how much, and how.

    Returns:
        The gallery, None where no picture is stored; and what a reader must be told about missing pictures.
    """
    found = results(run)
    rows = rows_of(run, max(0, len(found) - 1))
    stored = [(row, pictures) for row in rows if (pictures := run.pictures(str(row["id"])))]
    if not stored:
        return None, ((f"No pictures: {run.path / 'images'} holds none (see --save-images).",) if shown.count else ())
    stored.sort(key=lambda pair: next(iter(_damage(pair[0]).values()), 0.0), reverse=True)
    read = _Read()
    attacked = attacked_inputs(found[-1]) if found else []
    cards = [_card(row, pictures, attacked, page, shown, read) for row, pictures in stored[: shown.count]]
    cards = [card for card in cards if card.panels]
    notes = [f"{len(read.broken)} pictures cannot be read: {', '.join(read.broken[:_NAMED])}."] if read.broken else []
    if not cards:
        return None, tuple(notes)
    states = {card.state for card in cards} - {""}
    sorts = _SORTS if found else _CLEAN_SORTS
    gallery = Gallery(
        cards=tuple(cards),
        sorts=tuple((key, label) for key, label in sorts.items() if key == "id" or key in cards[0].damage),
        note=_note(len(cards), len(rows), attacked, shown, read),
        states=tuple((state, label) for state, label in STATES.items() if state in states),
    )
    return gallery, tuple(notes)


def _note(cards: int, images: int, attacked: list[str], shown: Shown, read: _Read) -> str:
    parts = [f"Pictures of {cards} of {images} images." if cards < images else f"All {images} images."]
    parts += ["Numbers are of the raw protocol."]
    parts += [
        f"Depth has the colours of matplotlib's {panels.DEPTH_COLOURS}: near is bright, far is dark, over the whole of "
        "[0, 1], without stretching."
    ]
    if attacked:
        reach = 128 / shown.gain
        parts += [
            f"Differences are signed and enlarged {shown.gain:g} times: mid-grey is unchanged, lighter is raised "
            f"(depth: nearer), and a change of {reach:g}/255 reaches white or black."
        ]
    if read.cut > 0:
        parts += [f"In the strongest one {read.cut:.0%} of the values changed by more than that."]
    return " ".join(parts)


def _damage(row: Mapping[str, Any]) -> dict[str, float]:
    """Sort keys of an image, larger is worse; without an attack how far its map is from a perfect one."""
    found = {}
    for metric, key in _KEYS.items():
        clean, after = row.get(f"clean_{metric}_raw"), row.get(f"attacked_{metric}_raw")
        if clean is None:
            continue
        best = 0.0 if metric == "mae" else 1.0
        drop = best - clean if after is None else clean - after
        found[key] = -drop if metric == "mae" else drop
    return found


def _card(
    row: Mapping[str, Any], pictures: Mapping[str, Path], attacked: list[str], page: Path, shown: Shown, read: _Read
) -> Card:
    name = str(row["id"])
    values = (
        Headline(label, *(print_cell(row[f"{view}_{metric}_raw"]) for view in _views(row)))
        for metric, label in _SHOWN.items()
        if f"clean_{metric}_raw" in row
    )
    made = tuple(_panels(name, pictures, attacked, page, shown, read))
    return Card(name, state_of(row), _damage(row), tuple(values), made)


def _views(row: Mapping[str, Any]) -> tuple[str, ...]:
    return ("clean", "attacked") if "attacked_sm_raw" in row else ("clean",)


def _panels(
    name: str, pictures: Mapping[str, Path], attacked: list[str], page: Path, shown: Shown, read: _Read
) -> Iterator[Panel]:
    """Panels in reading order: inputs, what the attack made of them, mask, maps."""
    stored = {kind: image for kind, path in pictures.items() if (image := _read_picture(path, read)) is not None}

    def panel(kind: str, label: str, image: Bytes, content: Content, shape: tuple[int, ...]) -> Panel:
        uri, sharp = data_uri(image, content, shown.side)
        file = "" if kind not in pictures else quote(Path(os.path.relpath(pictures[kind], page.parent)).as_posix())
        return Panel(kind, label, f"{label} of image {name}", uri, shape[1], shape[0], file, sharp)

    for kind in ("rgb", "depth"):
        if kind in stored:
            yield panel(kind, INPUTS[kind], _colours(stored[kind]), "photo", stored[kind].shape)
    for kind in attacked:
        clean, after = stored.get(kind), stored.get(f"adv_{kind}")
        if after is None:
            continue
        yield panel(f"adv_{kind}", f"adversarial {INPUTS.get(kind, kind)}", _colours(after), "photo", after.shape)
        if clean is not None and clean.shape == after.shape:
            pair = panels.unit(after), panels.unit(clean)
            read.cut = max(read.cut, panels.cut_share(*pair, shown.gain))
            which = f"{INPUTS.get(kind, kind)} " if len(attacked) > 1 else ""
            picture = panels.difference(*pair, shown.gain)
            label = f"{which}difference \N{MULTIPLICATION SIGN}{shown.gain:g}"
            yield panel(f"diff_{kind}", label, picture, "difference", after.shape)
    maps = {
        "mask": "mask",
        "clean_map": "clean map" if "attacked_map" in pictures else "map",
        "attacked_map": "attacked map",
    }
    for kind, label in maps.items():
        if kind in stored:
            yield panel(kind, label, panels.grey(_grey(stored[kind])), "map", stored[kind].shape)


def _read_picture(path: Path, read: _Read) -> np.ndarray | None:
    """(H, W) or (H, W, 3) in RGB order, 8 or 16 bit; None for a file that holds no such picture."""
    import cv2

    content = np.frombuffer(path.read_bytes(), np.uint8)
    image = cv2.imdecode(content, cv2.IMREAD_UNCHANGED) if content.size else None
    if image is None or image.dtype not in (np.uint8, np.uint16) or (image.ndim == 3 and image.shape[2] != 3):
        read.broken.append(f"{path.parent.name}/{path.name}")
        return None
    return np.asarray(image[..., ::-1] if image.ndim == 3 else image)


def _colours(image: np.ndarray) -> Bytes:
    """A photograph as it is, a depth map in colours."""
    return panels.grey(panels.unit(image)) if image.ndim == 3 else panels.depth_colours(panels.unit(image))


def _grey(image: np.ndarray) -> Floats:
    values = panels.unit(image)
    return values if values.ndim == 2 else values.mean(axis=2)
