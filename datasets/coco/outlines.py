"""Outlines of objects as COCO keeps them: polygons, or run lengths; viewers draw nothing without one."""

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

from rgbdsod.datasets.sample import Flags
from rgbdsod.foreign.files import shown
from rgbdsod.foreign.pictures import check_pixels

_LONGEST = 60  # bits of a run length

Size = tuple[int, int]


def box_outline(x0: float, y0: float, x1: float, y1: float) -> list[list[float]]:
    """The outline of an object of which only the box is known."""
    return [[x0, y0, x1, y0, x1, y1, x0, y1]]


def resized_outline(outline: Any, before: Size, after: Size) -> Any:
    """An outline in an image of another size.

    Args:
        outline: polygons [[x, y, x, y, ...], ...], or run lengths with "counts" and "size"; None or empty: none.
        before: (H, W) of the image.
        after: (H, W) that it is brought to.

    Returns:
        Polygons, or compressed run lengths as text; None where there is no outline.
    """
    if not outline:
        return None
    if isinstance(outline, Mapping):
        return _resized_runs(outline, after)
    across, down = after[1] / before[1], after[0] / before[0]
    scale = (across, down)
    return [[round(value * scale[place % 2], 3) for place, value in enumerate(part)] for part in outline]


def decoded_runs(outline: Mapping[str, Any], size: Size) -> Flags:
    """The mask (H,W) of run lengths.

    Args:
        outline: "counts" as text or as a list, and "size".
        size: (H, W) that the mask has to have.

    Raises:
        ValueError: it is of another size, or its runs are not those of so many pixels.
    """
    from pycocotools import mask as coding

    if list(outline["size"]) != list(size):
        raise ValueError(f"its mask is of size {shown(outline['size'])}, its image of {list(size)}")
    counts = outline["counts"]
    runs = counts if isinstance(counts, list) else _runs(counts)
    # The library takes the runs at their word, and writes beyond the mask where they are longer.
    if not all(isinstance(run, int) and run >= 0 for run in runs) or sum(runs) != size[0] * size[1]:
        raise ValueError("the runs of its mask are not those of its size")
    code = coding.frPyObjects({"counts": runs, "size": list(size)}, *size)
    mask: Flags = coding.decode(code).astype(bool)
    return mask


def _runs(text: Any) -> list[int]:
    """Run lengths of COCO's text: groups of 5 bits, smallest first, each number from the third on as a difference."""
    runs: list[int] = []
    value = shift = 0
    for letter in text.encode("ascii") if isinstance(text, str) else bytes(text):
        code = letter - 48
        if not 0 <= code < 64 or shift > _LONGEST:
            raise ValueError("its run lengths are no text of COCO's")
        value |= (code & 31) << shift
        shift += 5
        if not code & 32:
            value -= (code & 16) and 1 << shift
            runs.append(value + (runs[-2] if len(runs) > 2 else 0))
            value = shift = 0
    if shift:
        raise ValueError("its run lengths are cut short")
    return runs


def _resized_runs(outline: Mapping[str, Any], size: Size) -> dict[str, Any]:
    from pycocotools import mask as coding

    whole = [int(side) for side in outline["size"]]
    check_pixels(*whole)
    mask = decoded_runs(outline, (whole[0], whole[1])).astype(np.uint8)
    resized = cv2.resize(mask, size[::-1], interpolation=cv2.INTER_NEAREST)
    found = coding.encode(np.asfortranarray(resized.astype(np.uint8)))
    return {"size": list(found["size"]), "counts": found["counts"].decode("ascii")}
