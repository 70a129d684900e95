"""How well a trained detector tells which input was attacked, also by an attack that knows it, and what that saves."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from rgbdsod.attacks import Budget, ScoreProblem, pgd
from rgbdsod.datasets import Dataset
from rgbdsod.errors import UsageError
from rgbdsod.fusion import Manipulation
from rgbdsod.run.alignment import Alignment
from rgbdsod.run.pair_filter import image_batches
from rgbdsod.run.streams import NAMES
from rgbdsod.run.trained_alignment import open_alignment
from rgbdsod.types import Inputs


@dataclass(frozen=True)
class DetectorRow:
    """The detector against one attack.

    Args:
        side: the attacked input; "none" for clean images, of which one half has sensor noise.
        attack: "static" does not know the detector; "quiet" lowers both accusations too, "blame" turns the
            accusation on the other input, so that the fall-back drops the wrong one.
        strength: weight c of the detector in the attack's aim; 0 for "static".
        auroc: attacked against clean images, by the accusation of the attacked input; NaN for clean ones.
        tpr: share of attacked images that are accused where 5 % of clean ones are; of clean ones, those accused on
            either side.
        mae: of the saliency maps without a detector.
        mae_fallback: where the accused input is replaced by its mean.
    """

    side: str
    attack: str
    strength: float
    auroc: float
    tpr: float
    mae: float
    mae_fallback: float


def evaluate_detector(
    folder: str | Path,
    data: Dataset,
    *,
    eps: float = 8 / 255,
    steps: int = 20,
    strengths: Sequence[float] = (0.1, 1.0, 10.0, 100.0),
    fpr: float = 0.05,
    batch: int = 16,
    seed: int = 0,
    device: str = "auto",
) -> list[DetectorRow]:
    """Attack each input with and without knowledge of the detector, and measure detection and its end effect.

    Args:
        folder: of a training with the loss `manipulation`.
        data: images with masks, which that training did not see.
        eps: L-inf radius; steps: of PGD.
        strengths: weights c of the detector in the attacks that know it.
        fpr: share of clean images that may be accused, on each side.
        batch: images at once.
        seed: of the random starts and the noise.
        device: "auto", "cpu", "cuda", "cuda:N" or "mps".

    Returns:
        A row for clean images, then for each side "static" and the others at each strength.

    Raises:
        UsageError: no such training, or it had no detector.
    """
    if not 0 < fpr < 1:
        raise UsageError(f"a share of {fpr:g} accused clean images: above 0 and below 1")
    bench = _Bench(open_alignment(folder, "manipulation", device=device), data, batch, seed)
    limits = torch.quantile(bench.clean_answers, 1 - fpr, dim=0, interpolation="higher")
    rows = [bench.row("none", "none", 0.0, limits, lambda inputs, _, __: inputs)]
    for side in NAMES:
        aims = [("static", 0.0), *((kind, c) for kind in ("quiet", "blame") for c in strengths)]
        for kind, strength in aims:
            how = bench.attack(side, kind, strength, eps, steps)
            rows.append(bench.row(side, kind, strength, limits, how))
    return rows


class _Bench:
    """The detector, its network and the images."""

    def __init__(self, judge: Alignment, data: Dataset, batch: int, seed: int) -> None:
        self.judge, self.model, self.seed = judge, judge.model, seed
        self.head = judge.part("manipulation", Manipulation)
        self.batches = list(image_batches(judge, data, batch))
        rng = np.random.default_rng(seed)
        with torch.no_grad():
            found = [self.answers(inputs) for inputs in self.batches]
            found += [self.answers(_noisy(inputs, rng)) for inputs in self.batches]
        self.clean_answers = torch.cat(found)[:, : len(NAMES)]

    def answers(self, inputs: Inputs) -> Tensor:
        """Logits (B,3) of the heads."""
        return self.head.logits(*(self.judge.features(name, inputs[name]) for name in NAMES))

    def logits(self, inputs: Inputs, mask: Tensor) -> Tensor:
        """Saliency (B,1,H,W)."""
        height, width = mask.shape[-2:]
        return self.model.fuse({name: self.model.encode(name, inputs[name]) for name in NAMES}, (height, width))

    def attack(self, side: str, kind: str, strength: float, eps: float, steps: int) -> "_Attack":
        """A function that moves one input of a batch."""
        own, other = NAMES.index(side), 1 - NAMES.index(side)

        def moved(inputs: Inputs, mask: Tensor, number: int) -> Inputs:
            def score(x: Inputs) -> Tensor:
                seen = (
                    _dropped(x, torch.tensor([[other == 0, other == 1]], device=mask.device)) if kind == "blame" else x
                )
                harm = F.binary_cross_entropy_with_logits(self.logits(seen, mask), mask, reduction="none")
                answers = self.answers(x)
                hidden = F.logsigmoid(-answers[:, own])
                rest = F.logsigmoid(answers[:, other] if kind == "blame" else -answers[:, other])
                return harm.mean((1, 2, 3)) + strength * (hidden + rest)

            problem = ScoreProblem(score, inputs=NAMES, modules=(self.model, self.judge.parts))
            ids = [f"{number} {place}" for place in range(len(mask))]
            result = pgd(problem, inputs, {side: Budget(eps=eps)}, steps=steps, seed=self.seed, sample_ids=ids)
            return result.inputs

        return moved

    def row(self, side: str, kind: str, strength: float, limits: Tensor, how: "_Attack") -> DetectorRow:
        """Run one attack on all images and measure."""
        answers, errors = [], []
        for number, images in enumerate(self.batches):
            mask = images["mask"]
            moved = how({name: images[name] for name in NAMES}, mask, number)
            with torch.no_grad():
                said = self.answers(moved)[:, : len(NAMES)]
                kept = _dropped(moved, _accused(said, limits))
                errors.append(torch.stack([_mae(self.logits(x, mask), mask) for x in (moved, kept)]))
            answers.append(said)
        said, (mae, kept_mae) = torch.cat(answers), torch.cat(errors, 1).mean(1).tolist()
        if side == "none":
            found, tpr = float("nan"), float((said > limits).any(1).float().mean())
        else:
            place = NAMES.index(side)
            found = auroc(self.clean_answers[:, place], said[:, place])
            tpr = float((said[:, place] > limits[place]).float().mean())
        return DetectorRow(side, kind, strength, found, tpr, mae, kept_mae)


_Attack = Callable[[Inputs, Tensor, int], Inputs]


def auroc(low: Tensor, high: Tensor) -> float:
    """Probability that one of `high` exceeds one of `low`; ties count half."""
    more, same = high[:, None] > low, high[:, None] == low
    return float((more.double() + 0.5 * same.double()).mean())


def _accused(answers: Tensor, limits: Tensor) -> Tensor:
    """The one input (B,2) that is dropped: the one further above its limit, if any is."""
    excess = answers - limits
    worst = F.one_hot(excess.argmax(1), len(NAMES)).bool()
    return worst & (excess > 0)


def _dropped(inputs: Inputs, lost: Tensor) -> Inputs:
    """Inputs of which the lost ones, bool (B,2) or (1,2), are replaced by their means."""
    return {
        name: torch.where(lost[:, place, None, None, None], inputs[name].mean((2, 3), keepdim=True), inputs[name])
        for place, name in enumerate(NAMES)
    }


def _noisy(inputs: Inputs, rng: np.random.Generator) -> dict[str, Tensor]:
    """With sensor noise of 2 %, which is no attack."""
    result = dict(inputs)
    for name in NAMES:
        noise = torch.from_numpy(rng.normal(0, 0.02, tuple(inputs[name].shape)).astype(np.float32))
        result[name] = (inputs[name] + noise.to(inputs[name])).clamp(0, 1)
    return result


def _mae(logits: Tensor, mask: Tensor) -> Tensor:
    return (logits.sigmoid() - mask).abs().mean((1, 2, 3))
