"""Bootstrapped filter of training pairs: an earlier training's matching head says which pairs to learn from."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from rgbdsod.datasets import Dataset, collate, resized
from rgbdsod.datasets.dataset import View
from rgbdsod.fusion import filter_weights
from rgbdsod.fusion.alignment.filter import FilterMode, check_filter
from rgbdsod.run.alignment import Alignment
from rgbdsod.run.trained_alignment import open_alignment


@dataclass(frozen=True)
class PairFilter:
    """Which training judges the pairs, and what follows.

    Args:
        folder: of a training with `--itm`, on these or on similar images.
        mode: "drop" leaves out pairs whose depth does not belong to the RGB, "weight" lets each count by its score.
        share: of the pairs that "drop" leaves out; None: those that the head calls foreign.
    """

    folder: str
    mode: FilterMode = "drop"
    share: float | None = None

    def __post_init__(self) -> None:
        check_filter(self.mode, self.share)

    def __call__(self, data: Dataset, device: str = "auto") -> tuple[Dataset, Tensor | None]:
        """The images to learn from, and with "weight" how much each counts.

        Args:
            data: the training set; device: where the judging network runs.
        """
        weights = filter_weights(score_pairs(self.folder, data, device=device), mode=self.mode, share=self.share)
        if self.mode == "weight":
            return data, weights
        kept = torch.nonzero(weights).flatten().tolist()
        return View(data.name, [(data, place) for place in kept]), None


def score_pairs(folder: str | Path, data: Dataset, *, device: str = "auto", batch: int = 16) -> Tensor:
    """Probability that each pair's depth belongs to its RGB.

    Args:
        folder: of a training with the loss `itm`.
        data: pairs to judge.
        device: "auto", "cpu", "cuda", "cuda:N" or "mps".
        batch: pairs at once.

    Returns:
        (N,), in the order of `data`.

    Raises:
        UsageError: there is no such training, or it had no matching head.
    """
    judge = open_alignment(folder, "itm", device=device, flag="--filter")
    return torch.cat([judge.match(inputs).cpu() for inputs in image_batches(judge, data, batch)])


def image_batches(judge: Alignment, data: Dataset, batch: int) -> Iterator[dict[str, Tensor]]:
    """All images of a set at the judging network's size, on its device, unaugmented and in order."""
    model = judge.model
    for start in range(0, len(data), batch):
        samples = [data[place] for place in range(start, min(start + batch, len(data)))]
        if model.size is not None:
            samples = [resized(sample, model.size) for sample in samples]
        yield {name: value.to(model.device) for name, value in collate(samples).items()}
