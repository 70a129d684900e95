"""Outlines of objects as COCO keeps them: polygons, or run lengths; viewers draw nothing without one."""

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

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


def _resized_runs(outline: Mapping[str, Any], size: Size) -> dict[str, Any]:
    from pycocotools import mask as coding

    plain = isinstance(outline["counts"], list)
    code = coding.frPyObjects(outline, *outline["size"]) if plain else dict(outline)
    mask = cv2.resize(coding.decode(code), size[::-1], interpolation=cv2.INTER_NEAREST)
    found = coding.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": list(found["size"]), "counts": found["counts"].decode("ascii")}
