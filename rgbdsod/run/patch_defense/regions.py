"""Measures of maps over all pixels, beside a patch, and far from it."""

import numpy as np
from numpy.typing import NDArray

from rgbdsod.run.patch.regions import region_of
from rgbdsod.run.patch.states import REGIONS

Maps = NDArray[np.uint8]
Flags = NDArray[np.bool_]


def region_measures(maps: Maps, truth: Flags, hidden: Flags) -> list[dict[str, float | None]]:
    """IoU of the map cut at one half, and MAE, over each region; without any stretching of the map.

    Args:
        maps: uint8 (B,H,W).
        truth: where objects are, bool (B,H,W).
        hidden: the patches, bool (B,H,W).

    Returns:
        For each image "iou_all", "mae_all", "iou_rest", ...; None where a region is empty. Where there is no object and
        none is seen, the IoU is 1.
    """
    return [
        {
            f"{name}_{region}": value
            for region in REGIONS
            for name, value in _measures(map_, objects, region_of(region, cover)).items()
        }
        for map_, objects, cover in zip(maps, truth, hidden, strict=True)
    ]


def _measures(map_: Maps, truth: Flags, where: Flags) -> dict[str, float | None]:
    pixels = int(where.sum())
    if not pixels:
        return {"iou": None, "mae": None}
    seen = (map_ > 127) & where
    either = int((seen | (truth & where)).sum())
    error = np.abs(map_ / 255.0 - truth)[where].mean()
    return {"iou": int((seen & truth).sum()) / either if either else 1.0, "mae": float(error)}
