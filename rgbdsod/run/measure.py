"""From maps and masks to the numbers of a run: per image, and of a data set."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rgbdsod.metrics import MaskCache, counts, from_counts, paired_change, summary, wfm
from rgbdsod.run.definitions import CURVES, PROTOCOLS, REPORTED
from rgbdsod.run.pieces import Counts

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float64]

_COMPARED = ("mae", "sm", "wfm", "iou_bin")
"""Measures whose change gets an interval."""


@dataclass(frozen=True)
class Measured:
    """Maps of some images against their masks.

    Args:
        counts: (N, 2048), see `rgbdsod.metrics.counts`.
        wfm: by protocol, (N,); empty where the weighted F-measure was not asked for.
    """

    counts: Counts
    wfm: dict[str, Floats]

    def columns(self, prefix: str) -> list[dict[str, float]]:
        """Each image's values as table columns: "<prefix>_mae", and "<prefix>_mae_raw" of the raw protocol."""
        table: dict[str, Floats] = {}
        for protocol in PROTOCOLS:
            values = from_counts(self.counts, protocol) | ({"wfm": self.wfm[protocol]} if self.wfm else {})
            end = "_raw" if protocol == "raw" else ""
            table |= {f"{prefix}_{name}{end}": values[name] for name in REPORTED if name in values}
        return [{name: float(column[i]) for name, column in table.items()} for i in range(len(self.counts))]


def measure(maps: Sequence[Bytes], masks: Sequence[Bytes], cache: MaskCache, *, weighted: bool = True) -> Measured:
    """Measure maps in both protocols.

    Args:
        maps: uint8 (H, W), any sizes.
        masks: of the same sizes.
        cache: keeps what depends on a mask alone.
        weighted: whether to compute the weighted F-measure, which takes most of the time.
    """
    scores = {protocol: wfm(list(maps), list(masks), protocol, cache=cache) for protocol in PROTOCOLS if weighted}
    return Measured(counts(list(maps), list(masks), cache=cache), scores)


def set_values(all_counts: Counts, columns: Sequence[dict[str, Any]], prefix: str) -> dict[str, Any]:
    """Values and curves of a data set in both protocols, from what was kept of its images.

    Args:
        all_counts: (N, 2048).
        columns: the images' rows, in the same order; weighted F is read from their "<prefix>_wfm" columns.
    """
    found = {}
    for protocol in PROTOCOLS:
        name = f"{prefix}_wfm" + ("_raw" if protocol == "raw" else "")
        weighted = np.array([row[name] for row in columns]) if name in columns[0] else None
        result = summary(all_counts, weighted, protocol)
        found[protocol] = {
            "values": {key: result.values[key] for key in REPORTED if key in result.values},
            "pooled": {"iou_bin": result.pooled["iou_bin"]},
            "curves": {key: result.curves[f"{key}_curve"].tolist() for key in CURVES},
        }
    return found


def changes(rows: Sequence[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Mean of attacked minus clean over the images, with its 95 % interval (paired bootstrap, benchmark protocol)."""
    found = {}
    for name in _COMPARED:
        clean, attacked = (np.array([row[f"{prefix}_{name}"] for row in rows]) for prefix in ("clean", "attacked"))
        interval = paired_change(clean, attacked)
        found[name] = {"mean": interval.mean, "low": interval.low, "high": interval.high}
    return found


def finite(value: float) -> float | None:
    """A number for JSON, which knows no infinity; None for the PSNR of an image that did not change."""
    return float(value) if isfinite(value) else None
