"""The pictures of a patch run: where each patch lay, what it looked like, and the maps before and after."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from rgbdsod.foreign import pictures
from rgbdsod.report import panels
from rgbdsod.report.encode import data_uri
from rgbdsod.report.gallery import Shown
from rgbdsod.report.panels import Bytes
from rgbdsod.report.reading import Run
from rgbdsod.report.results import STATES
from rgbdsod.report.stored import PanelMaker
from rgbdsod.report.tables import print_cell
from rgbdsod.report.view import Card, Gallery, Headline, Panel
from rgbdsod.report.wording import INPUTS

_SIDE = 384
_INK = np.array([255, 210, 0], np.uint8)
_WHITE = 255
_MEASURES = {"iou_bin_rest_raw": "IoU beside the patch", "mae_rest_raw": "MAE beside the patch"}


def patch_gallery(run: Run, page: Path, shown: Shown) -> Gallery | None:
    """The gallery of a patch run; None where no pictures were kept.

    Args:
        run: made by patch make or patch apply.
        page: where the page will lie.
        shown: how much, and how.
    """
    if shown.count == 0:
        return None
    maker = PanelMaker(page, (), shown.gain, _SIDE)
    placed = [row for row in run.rows if row["placed"]]
    illustrated = [(row, files) for row in placed if (files := run.pictures(str(row["id"])))]
    illustrated.sort(key=lambda pair: _drop(pair[0]), reverse=True)
    cards = tuple(_card(run, row, files, maker, page) for row, files in illustrated[: shown.count])
    if not cards:
        return None
    states = {card.state for card in cards}
    note = (
        f"Pictures of {len(cards)} of {len(placed)} images with a patch, whose outline is drawn; fooled means that the "
        "goal was reached. Numbers are of the raw protocol, clean and patched."
    )
    named = tuple((state, label) for state, label in STATES.items() if state in states)
    return Gallery(cards, (("drop", "drop in IoU"), ("id", "id")), note, named)


def outlined(picture: Bytes, cover: NDArray[np.bool_]) -> Bytes:
    """A picture (H,W,3) with a line around some pixels, which keep theirs.

    Args:
        picture: 8 bit.
        cover: bool (H,W).
    """
    import cv2

    width = max(1, round(max(cover.shape) / 160))
    wide = cv2.dilate(cover.astype(np.uint8), np.ones((2 * width + 1, 2 * width + 1), np.uint8)) > 0
    found = picture.copy()
    found[wide & ~cover] = _INK
    return found


def _card(run: Run, row: Mapping[str, Any], files: Mapping[str, Path], maker: PanelMaker, page: Path) -> Card:
    name = str(row["id"])
    values = tuple(
        Headline(label, *(print_cell(row[f"{state}_{measure}"]) for state in ("clean", "patched")))
        for measure, label in _MEASURES.items()
    )
    own = (*_placements(name, files, page), *own_patch(run, name, page))
    state = "fooled" if row["patched_reached"] else "held"
    return Card(name, state, {"drop": _drop(row)}, values, (*own, *maker.panels(name, files)))


def _drop(row: Mapping[str, Any]) -> float:
    before, after = (row[f"{state}_iou_bin_rest_raw"] for state in ("clean", "patched"))
    return 0.0 if before is None or after is None else float(before - after)


def _placements(name: str, files: Mapping[str, Path], page: Path) -> Iterator[Panel]:
    """The patched inputs with the patch's outline; an input without a patch is not among them."""
    cover = read_picture(files.get("cover"))
    for kind, label in INPUTS.items():
        picture = read_picture(files.get(f"adv_{kind}"))
        if cover is None or picture is None or picture.shape[:2] != cover.shape[:2]:
            continue
        values = panels.unit(picture)
        shown = panels.grey(values[..., :3]) if picture.ndim == 3 else panels.depth_colours(values)
        text = f"{label} with the patch"
        yield panel(f"placed_{kind}", text, name, outlined(shown, cover > _WHITE // 2), files[f"adv_{kind}"], page)


def own_patch(run: Run, name: str, page: Path) -> Iterator[Panel]:
    """The image's own patch on white."""
    path = run.path / "patches" / name / "patch.png"
    picture = read_picture(path)
    if picture is not None and picture.ndim == 3 and picture.shape[2] == 4:
        alpha = picture[..., 3:].astype(float) / _WHITE
        flat = np.rint(alpha * picture[..., :3] + (1 - alpha) * _WHITE).astype(np.uint8)
        yield panel("patch", "the patch", name, flat, path, page)


def panel(kind: str, label: str, name: str, picture: Bytes, path: Path, page: Path, side: int = _SIDE) -> Panel:
    """A picture (H,W,3) as a panel of an image's card.

    Args:
        kind, label: see `Panel`.
        name: the image's id.
        picture: 8 bit.
        path: the stored file that it links to.
        page: where the page will lie.
        side: longer side of the embedded picture.
    """
    height, width = picture.shape[:2]
    link = quote(Path(os.path.relpath(path, page.parent)).as_posix())
    alt = f"{label}, image {name}"
    return Panel(kind, label, alt, data_uri(picture, "photo", side), width, height, link, sharp=kind == "patch")


def read_picture(path: Path | None) -> Any:
    """(H,W), (H,W,3) or (H,W,4) in RGB order; None where there is no such picture."""
    if path is None or not path.is_file():
        return None
    image = pictures.read_picture(path)
    if image is None or image.ndim == 2:
        return image
    return image[..., [2, 1, 0, 3]] if image.shape[2] == 4 else image[..., ::-1]
