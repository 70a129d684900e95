"""What a detector sees, drawn: boxes on the clean image beside boxes under the patch, without and behind defences."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rgbdsod.foreign.documents import read_json
from rgbdsod.report.gallery import Shown
from rgbdsod.report.panels import Bytes
from rgbdsod.report.patch.pictures import outlined, own_patch, panel, read_picture
from rgbdsod.report.reading import Run
from rgbdsod.report.tables import print_cell
from rgbdsod.report.view import Card, Gallery, Headline

SCORE = 0.5
"""Detections below are not drawn; it is the score from which an object counts as found."""

REFERENCES = ("none", "oracle", "random-mask", "oracle-modality")
"""Rows that are no defence."""

_SIDE, _BEHIND = 640, 3
_PALETTE = ((230, 60, 50), (40, 120, 230), (20, 150, 90), (200, 90, 200), (240, 140, 20), (20, 160, 180))
_STATES = (("fooled", "found less than on the clean image"), ("held", "found as much"))


class Seen(NamedTuple):
    """A detection as the file has it: corners in pixels, score, position of the class."""

    box: tuple[float, float, float, float]
    score: float
    label: int


def detection_gallery(run: Run, page: Path, shown: Shown) -> Gallery | None:
    """The gallery of a run on a detector; None where no pictures were kept.

    Args:
        run: made by patch evaluate.
        page: where the page will lie.
        shown: how much.
    """
    if shown.count == 0:
        return None
    bare = [row for row in run.rows if row["row"] == "none" and row["placed"]]
    kept = [(row, files) for row in bare if (files := run.pictures(str(row["id"])))]
    kept.sort(key=lambda pair: _drop(pair[0]), reverse=True)
    cards = tuple(card for row, files in kept[: shown.count] if (card := _card(run, row, files, page)) is not None)
    if not cards:
        return None
    note = (
        f"Pictures of {len(cards)} of {len(bare)} images with a patch, whose outline is drawn in yellow. Boxes are "
        f"detections with a score of at least {SCORE:g}, with class and score; thin grey boxes are the annotated "
        "objects. Behind a defence the image is drawn as it was before the defence changed it."
    )
    states = {card.state for card in cards}
    return Gallery(cards, (("drop", "drop"), ("id", "id")), note, tuple(own for own in _STATES if own[0] in states))


def drawn(picture: Bytes, seen: Sequence[Seen], names: Mapping[str, str], objects: Sequence[Sequence[float]]) -> Bytes:
    """A picture with boxes, enlarged so that their text can be read.

    Args:
        picture: (H,W,3), 8 bit.
        seen: detections; those below `SCORE` are left out.
        names: of classes, by position as text.
        objects: annotated boxes, corners first.
    """
    import cv2

    scale = max(1.0, _SIDE / max(picture.shape[:2]))
    size = (round(picture.shape[1] * scale), round(picture.shape[0] * scale))
    canvas = np.ascontiguousarray(cv2.resize(picture, size, interpolation=cv2.INTER_NEAREST))
    for x0, y0, x1, y1 in (one[:4] for one in objects):
        cv2.rectangle(canvas, *_corners((x0, y0, x1, y1), scale), (190, 190, 190), 1)
    for one in sorted(seen, key=lambda found: found.score):
        if one.score < SCORE:
            continue
        colour = _PALETTE[one.label % len(_PALETTE)]
        corner, other = _corners(one.box, scale)
        cv2.rectangle(canvas, corner, other, colour, 2)
        _write(canvas, corner, f"{names.get(str(one.label), one.label)} {one.score:.2f}", colour)
    return np.asarray(canvas, np.uint8)


def _write(canvas: NDArray[Any], corner: tuple[int, int], text: str, colour: tuple[int, int, int]) -> None:
    """White text on a box's colour, at its upper left corner, inside the picture; OpenCV's letters are ASCII."""
    import cv2

    plain = text.encode("ascii", "replace").decode()
    (width, height), _ = cv2.getTextSize(plain, cv2.FONT_HERSHEY_SIMPLEX, 0.5, 1)
    left = max(0, min(corner[0], canvas.shape[1] - width - 6))
    bottom = max(height + 6, corner[1])
    cv2.rectangle(canvas, (left, bottom - height - 6), (left + width + 6, bottom), colour, -1)
    cv2.putText(canvas, plain, (left + 3, bottom - 4), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1, cv2.LINE_AA)


def _corners(box: Sequence[float], scale: float) -> tuple[tuple[int, int], tuple[int, int]]:
    x0, y0, x1, y1 = (round(value * scale) for value in box)
    return (x0, y0), (x1, y1)


def _card(run: Run, row: Mapping[str, Any], files: Mapping[str, Path], page: Path) -> Card | None:
    name = str(row["id"])
    known = _known(run.path / "detections" / f"{name}.json")
    clean, patched = read_picture(files.get("image")), read_picture(files.get("adv_image"))
    if not known or clean is None or patched is None or clean.shape != patched.shape:
        return None
    cover = read_picture(run.path / "patches" / name / "mask.png")
    if cover is not None and cover.shape == patched.shape[:2]:
        patched = outlined(patched, cover > 127)
    views = list(_views(run, known["detections"]))
    panels = [
        panel(kind, label, name, drawn(patched if kind != "clean" else clean, seen, known["names"], known["objects"]),
              files["image" if kind == "clean" else "adv_image"], page, _SIDE)
        for kind, label, seen in views
    ]  # fmt: skip
    values = (
        Headline("objects found", *(f"{row[f'{view}_found']:.0f}" for view in ("clean", "unaware"))),
        Headline("best scores on them", *(print_cell(row[f"{view}_held"]) for view in ("clean", "unaware"))),
    )
    state = "fooled" if row["unaware_found"] < row["clean_found"] else "held"
    return Card(name, state, {"drop": _drop(row)}, values, (*panels, *own_patch(run, name, page)))


def _views(run: Run, found: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str, list[Seen]]]:
    """Kind, label and detections of each picture: clean, under the patch, and the same behind the first defences."""
    bare = found["none"]
    yield "clean", "clean", _seen(bare["clean"])
    yield "unaware", "under the patch", _seen(bare["unaware"])
    behind = [own["row"] for own in run.metrics["defenses"] if own["defense"] not in REFERENCES]
    for place, label in enumerate(behind[:_BEHIND]):
        yield f"behind_{place}", f"under the patch, behind {label}", _seen(found[label]["unaware"])


def _seen(rows: Sequence[Sequence[float]]) -> list[Seen]:
    return [Seen((row[0], row[1], row[2], row[3]), float(row[4]), int(row[5])) for row in rows]


def _known(path: Path) -> dict[str, Any]:
    """An image's file of detections; empty where it is missing, damaged, or of a version that named no classes."""
    try:
        found: dict[str, Any] = {**read_json(path)}
    except (OSError, ValueError, TypeError):
        return {}
    return found if {"objects", "detections", "names"} <= set(found) and "none" in found["detections"] else {}


def _drop(row: Mapping[str, Any]) -> float:
    before, after = row["clean_held"], row["unaware_held"]
    return 0.0 if before is None or after is None else float(before - after)
