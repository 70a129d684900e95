"""`patch_statistics`: patches beside photographs."""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from rgbdsod.attacks.door import check_choice
from rgbdsod.attacks.patch.natural.bank import DEMO
from rgbdsod.attacks.patch.natural.nature import SEEN
from rgbdsod.attacks.patch.transforms.presets import TRANSFORMS
from rgbdsod.errors import UsageError
from rgbdsod.run.execute import ImageCallback, Target, execute
from rgbdsod.run.patch_stats.embedding import open_embedder
from rgbdsod.run.patch_stats.reference import photographs_of
from rgbdsod.run.patch_stats.result import StatsResult
from rgbdsod.run.patch_stats.sets import open_sets
from rgbdsod.run.patch_stats.task import Sets, StatsTask

LEAST = 256
"""Appearances of a set, at least."""

_SMALLEST = 8


def patch_statistics(
    patches: str | Path | Sequence[str | Path],
    *,
    reference: str | Path = DEMO,
    embedder: str = "random",
    weights: str | Path | None = None,
    appearances: int = LEAST,
    transforms: str = SEEN,
    seed: int = 0,
    out: str | Path | None = None,
    restart: bool = False,
    callback: ImageCallback | None = None,
) -> StatsResult:
    """Measure the frequencies of patches, and how far their appearances are from crops of photographs.

    Of a file, one patch is seen under many draws of light, print and wear; of a run folder, all its patches are.

    Args:
        patches: files of patches, their folders, or run folders.
        reference: photographs to be near to: a folder, a data set, or "demo".
        embedder: "random" (FD-random), "clip-demo", "sal-demo", or "inception" (FID).
        weights: "inception" only: the file of the original weights.
        appearances: of each set of patches, and as many crops; 256 or more.
        transforms: under which patches and crops are seen: "print", "hard", "thys" or "tsea", and of these what happens
            to colours; "none": as they are.
        seed: of crops and draws.
        out: the run folder; None writes nothing.
        restart: begin anew in a folder that is there.
        callback: called with (sets done, sets in all).

    Returns:
        Rows for each file or run, and for crops, noisy crops, few crops, smooth pictures and noise beside them.

    Raises:
        UsageError: names and numbers that cannot be, or a patch without colours. DataError: what cannot be read.
        WeightsError: an Inception file that is not the original.

    Example:
        >>> from rgbdsod.run import patch_statistics
        >>> print(patch_statistics("runs/patch-make/NAME").summary())  # doctest: +SKIP
    """
    several = [patches] if isinstance(patches, str | Path) else list(patches)
    task = stats_task(
        [str(own) for own in several], reference=str(reference), embedder=embedder, weights=weights,
        appearances=appearances, transforms=transforms, seed=seed,
    )  # fmt: skip
    return run_stats(task, None if out is None else Target(out=out, restart=restart), callback)


def stats_task(
    patches: Sequence[str],
    *,
    reference: str,
    embedder: str,
    weights: str | Path | None,
    appearances: int,
    transforms: str,
    seed: int,
) -> StatsTask:
    """Everything checked, nothing started; arguments as for `patch_statistics`."""
    if appearances < LEAST:
        raise UsageError(f"--appearances {appearances} say little of a distribution; pass {LEAST} or more")
    check_choice(TRANSFORMS, transforms=transforms)
    sets, chosen = open_sets(patches), open_embedder(embedder, weights)
    if (small := min(sets, key=lambda own: own.side)).side < _SMALLEST:
        raise UsageError(f"{small.id} is {small.side} pixels wide, and {_SMALLEST} are compared; make it larger")
    given = {"files": list(patches)} | ({} if weights is None else {"weights": str(weights)})
    return StatsTask(
        Sets(sets), photographs_of(reference, seed=seed), reference, chosen, appearances, seed, transforms, given
    )


def run_stats(
    task: StatsTask,
    target: Target | None,
    callback: ImageCallback | None = None,
    on_open: Callable[[], None] | None = None,
) -> StatsResult:
    """Run a task, or continue it, or read its results; arguments as for `rgbdsod.run.execute.execute`."""
    return StatsResult(execute(task, target=target, device=torch.device("cpu"), callback=callback, on_open=on_open))
