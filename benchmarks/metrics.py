"""Saliency measures against pysodmetrics: time per image and equality of values, both of the same run.

    python benchmarks/metrics.py

Each round runs the reference and this package one after the other on the same maps, so a busy moment hits both; the
ratio is the median over rounds of each round's ratio.
"""

import json
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import median
from time import perf_counter
from typing import Annotated

import cv2
import numpy as np
import py_sod_metrics as peer
import torch
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from rgbdsod import metrics

Image = NDArray[np.uint8]
Values = dict[str, NDArray[np.float64]]
Images = list[tuple[Image, Image]]
Run = Callable[[], Values]

HANDLERS = {
    "fm": peer.FmeasureHandler,
    "precision": peer.PrecisionHandler,
    "recall": peer.RecallHandler,
    "iou": peer.IOUHandler,
    "dice": peer.DICEHandler,
    "ber": peer.BERHandler,
    "specificity": peer.SpecificityHandler,
    "fpr": peer.FPRHandler,
    "oa": peer.OverallAccuracyHandler,
    "kappa": peer.KappaHandler,
}


@dataclass(frozen=True)
class Row:
    """One comparison at one size; times in milliseconds per image."""

    size: str
    measures: str
    masks: str
    reference: float
    ours: float
    ratio: float
    worst: float
    difference: float


def make_image(seed: int, height: int, width: int) -> tuple[Image, Image]:
    """A blurred and noisy map of an ellipse of a quarter of the image, with both ends of the range saturated."""
    rng = np.random.default_rng(seed)
    mask = np.zeros((height, width), np.uint8)
    centre = int(width * rng.uniform(0.35, 0.65)), int(height * rng.uniform(0.35, 0.65))
    cv2.ellipse(mask, centre, (int(width * 0.28), int(height * 0.28)), rng.uniform(0, 180), 0, 360, 255, -1)
    noise = cv2.GaussianBlur(rng.normal(size=mask.shape), (0, 0), 3.0)
    pred = cv2.GaussianBlur(mask.astype(np.float64), (0, 0), 6.0) + 120 * noise
    return np.clip(pred, 0, 255).round().astype(np.uint8), mask


def reference_histogram_measures(images: Images) -> Values:
    """All but the weighted F-measure, the fastest way that pysodmetrics offers."""
    mae, sm, em = peer.MAE(), peer.Smeasure(), peer.Emeasure()
    options = {"with_dynamic": True, "with_adaptive": True, "with_binary": True}
    fm = peer.FmeasureV2({name: handler(**options) for name, handler in HANDLERS.items()})
    for pred, mask in images:
        for measure in (mae, sm, em, fm):
            measure.step(pred, mask)
    values = {"mae": mae.maes, "sm": sm.sms, "em_adp": em.adaptive_ems, **over_curve("em", em.changeable_ems)}
    for name, handler in fm._metric_handlers.items():
        values |= {f"{name}_adp": handler.adaptive_results, f"{name}_bin": handler.binary_results}
        values |= over_curve(name, handler.dynamic_results)
    return {name: np.asarray(value, np.float64) for name, value in values.items()}


def over_curve(name: str, curves: list[NDArray[np.float64]]) -> Values:
    return {f"{name}_mean": np.mean(curves, axis=1), f"{name}_max": np.max(curves, axis=1)}


def reference_weighted(images: Images) -> Values:
    wfm = peer.WeightedFmeasure()
    for pred, mask in images:
        wfm.step(pred, mask)
    return {"wfm": np.array(wfm.weighted_fms, np.float64)}


def compare(images: Images, measures: str, reference: Run, ours: dict[str, Run], rounds: int) -> list[Row]:
    """A row for each of our ways to compute what the reference computes, all interleaved."""
    expected = reference()
    values = {way: run() for way, run in ours.items()}
    seconds: dict[str, list[float]] = {way: [] for way in ("reference", *ours)}
    for _ in range(rounds):
        for way, run in {"reference": reference, **ours}.items():
            start = perf_counter()
            run()
            seconds[way].append(perf_counter() - start)
    rows = []
    for way in ours:
        ratios = [theirs / own for theirs, own in zip(seconds["reference"], seconds[way], strict=True)]
        rows.append(
            Row(
                size="x".join(str(side) for side in images[0][0].shape),
                measures=measures,
                masks=way,
                reference=1000 * median(seconds["reference"]) / len(images),
                ours=1000 * median(seconds[way]) / len(images),
                ratio=median(ratios),
                worst=min(ratios),
                difference=max(float(np.abs(values[way][name] - expected[name]).max()) for name in expected),
            )
        )
    return rows


def measure(size: str, batch: int, rounds: int) -> list[Row]:
    """All rows of one size, HxW."""
    height, width = (int(side) for side in size.split("x"))
    images = [make_image(seed, height, width) for seed in range(batch)]
    preds, masks = np.stack([pred for pred, _ in images]), np.stack([mask for _, mask in images])
    cache = metrics.MaskCache()
    histogram = {
        "new": lambda: metrics.saliency(preds, masks, wfm=False),
        "cached": lambda: metrics.saliency(preds, masks, wfm=False, cache=cache),
    }
    weighted = {
        "new": lambda: {"wfm": metrics.wfm(preds, masks)},
        "cached": lambda: {"wfm": metrics.wfm(preds, masks, cache=cache)},
    }
    return [
        *compare(images, "all but weighted F", lambda: reference_histogram_measures(images), histogram, rounds),
        *compare(images, "weighted F", lambda: reference_weighted(images), weighted, rounds),
    ]


def show(rows: list[Row]) -> None:
    table = Table("size", "measures", "masks", "pysodmetrics, ms", "rgbdsod, ms", "ratio", "worst round", "difference")
    for row in rows:
        times = [f"{row.reference:.2f}", f"{row.ours:.2f}", f"{row.ratio:.1f}", f"{row.worst:.1f}"]
        table.add_row(row.size, row.measures, row.masks, *times, f"{row.difference:.0e}")
    Console(width=120).print(table)


def main(
    sizes: Annotated[str, typer.Option(help="heights and widths, HxW,HxW")] = "352x352,480x640",
    batch: Annotated[int, typer.Option(help="images in a batch")] = 8,
    rounds: Annotated[int, typer.Option(help="how often each is timed")] = 15,
    threads: Annotated[int, typer.Option(help="threads of PyTorch and OpenCV")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document")] = False,
) -> None:
    """Time the saliency measures against pysodmetrics and compare the values."""
    warnings.filterwarnings("ignore", category=UserWarning, module="py_sod_metrics")
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
    rows = [row for size in sizes.split(",") for row in measure(size, batch, rounds)]
    if as_json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        show(rows)
    if max(row.difference for row in rows) > 1e-12:
        raise typer.Exit(6)


if __name__ == "__main__":
    typer.run(main)
