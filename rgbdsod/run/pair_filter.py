"""Bootstrapped filter of training pairs: an earlier training's matching head says which pairs to learn from."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from rgbdsod.datasets import Dataset, collate, resized
from rgbdsod.datasets.dataset import View
from rgbdsod.errors import UsageError
from rgbdsod.fusion import filter_weights
from rgbdsod.fusion.alignment.filter import FilterMode, check_filter
from rgbdsod.models import build_model
from rgbdsod.run.alignment import Alignment
from rgbdsod.run.alignment_settings import AlignmentSettings
from rgbdsod.run.checkpoint import read_checkpoint


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
    judge = _judge(Path(folder), device)
    return torch.cat([judge.match(inputs).cpu() for inputs in _batches(judge, data, batch)])


def _judge(folder: Path, device: str) -> Alignment:
    """The network and the heads as that training left them."""
    file = folder / "checkpoints" / "last.pt"
    if not file.is_file():
        raise UsageError(f"--filter {folder}: no training is there; pass the folder of one that had --itm")
    progress, state = read_checkpoint(file)
    settings = progress.settings.get("alignment") or {}
    if not settings.get("itm"):
        raise UsageError(f"--filter {folder}: that training had no matching head; train with --itm 0.1 first")
    given = {name: progress.settings.get(name) for name in ("fusion", "encoder")}
    model = build_model(progress.settings["model"], **given, seed=0, device=device)
    model.network.load_state_dict(state["model"])
    judge = Alignment(model.eval(), AlignmentSettings(**settings), seed=0, total=1)
    judge.parts.load_state_dict(state["alignment"])
    return judge


def _batches(judge: Alignment, data: Dataset, batch: int) -> Iterator[dict[str, Tensor]]:
    model = judge.model
    for start in range(0, len(data), batch):
        samples = [data[place] for place in range(start, min(start + batch, len(data)))]
        if model.size is not None:
            samples = [resized(sample, model.size) for sample in samples]
        yield {name: value.to(model.device) for name, value in collate(samples).items()}
