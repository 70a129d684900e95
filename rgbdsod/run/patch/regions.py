"""Saliency maps measured over the whole picture, away from a patch, and far from it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from rgbdsod.attacks.patch.placement import grown
from rgbdsod.metrics import MaskCache, counts, from_counts, summary
from rgbdsod.metrics.histogram import BINS
from rgbdsod.run.definitions import PROTOCOLS
from rgbdsod.run.patch.states import REGIONS, column, measures_of
from rgbdsod.run.pieces import Counts

Bytes = NDArray[np.uint8]
Flags = NDArray[np.bool_]

_FAR = 0.05  # of the longer side
_SALIENT = 128


def region_of(name: str, cover: Flags) -> Flags:
    """The pixels of a region, bool (H,W).

    Args:
        name: one of `REGIONS`.
        cover: the pixels under the patch, bool (H,W).
    """
    if name == "all":
        return np.ones_like(cover)
    if name == "rest":
        return ~cover
    return ~grown(torch.from_numpy(cover)[None, None], round(_FAR * max(cover.shape)))[0, 0].numpy()


def region_counts(
    maps: Sequence[Bytes], masks: Sequence[Bytes], covers: Sequence[Flags], cache: MaskCache
) -> dict[str, Counts]:
    """Counts (N,2048) of each region, see `rgbdsod.metrics.counts`; 0 where a region shows nothing of the object.

    A measure that stretches a map does so within the region.

    Args:
        maps: uint8 (H,W) each.
        masks: their truths, salient above 128.
        covers: the pixels under the patch, bool.
        cache: keeps what depends on a mask alone.
    """
    found = {"all": counts(list(maps), list(masks), cache=cache)}
    for name in REGIONS:
        if name != "all":
            rows = [
                _counts(map_, mask, region_of(name, cover))
                for map_, mask, cover in zip(maps, masks, covers, strict=True)
            ]
            found[name] = np.stack(rows)
    return found


def columns(found: Mapping[str, Counts], state: str) -> list[dict[str, float | None]]:
    """Each image's measures as table columns; None where a region shows nothing of the object.

    Args:
        found: from `region_counts`.
        state: one of `STATES`.
    """
    rows: list[dict[str, float | None]] = [{} for _ in found["all"]]
    for region, counted in found.items():
        seen = _seen(region, counted)
        for protocol in PROTOCOLS:
            values = from_counts(counted[seen], protocol) if seen.any() else {}
            for measure in measures_of(region):
                name, own = column(state, measure, region, protocol), iter(values.get(measure, ()))
                for row, shows in zip(rows, seen, strict=True):
                    row[name] = float(next(own)) if shows else None
    return rows


def region_values(counted: Counts, region: str) -> dict[str, Any]:
    """A region's measures over a data set, by protocol, and over how many images.

    Args:
        counted: (N,2048).
        region: one of `REGIONS`.
    """
    seen = counted[_seen(region, counted)]
    found: dict[str, Any] = {"images": len(seen)}
    for protocol in PROTOCOLS:
        values = summary(seen, None, protocol).values if len(seen) else {}
        found[protocol] = {name: float(values[name]) for name in measures_of(region) if name in values}
    return found


def _counts(map_: Bytes, mask: Bytes, region: Flags) -> Counts:
    inside = mask[region]
    if not bool((inside > _SALIENT).any()):
        return np.zeros(BINS, np.int64)
    found: Counts = counts(map_[region][None], inside[None])[0]
    return found


def _seen(region: str, counted: Counts) -> NDArray[np.bool_]:
    """The images that a region counts; the whole picture counts all of them."""
    if region == "all":
        return np.ones(len(counted), bool)
    return np.asarray(counted.any(1), bool)
