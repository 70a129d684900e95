"""Manipulated twins of training images, with the truth about which input was manipulated."""

import numpy as np
import torch
from torch import Tensor

from rgbdsod.attacks import Budget
from rgbdsod.defenses import AdversarialTraining
from rgbdsod.models import SaliencyModel

KINDS = ("rgb", "depth", "both", "patch rgb", "patch depth", "swapped", "noise")
"""What happens to an image: one or both inputs attacked, a patch put on one, another image's depth, or sensor noise."""

LABELS = {
    "rgb": (True, False, False),
    "depth": (False, True, False),
    "both": (True, True, False),
    "patch rgb": (True, False, False),
    "patch depth": (False, True, False),
    "swapped": (False, False, True),
    "noise": (False, False, False),
}
"""RGB attacked, depth attacked, of different scenes. Noise is no attack: a detector of noise would be useless."""

RADII = (2, 4, 8, 16)
"""L-inf budgets in 255ths; each step draws one."""

STEPS = (1, 3)
"""Attacks differ in strength; each step draws one."""


def twins(
    model: SaliencyModel, batch: dict[str, Tensor], *, seed: int, iteration: int
) -> tuple[dict[str, Tensor], Tensor]:
    """A manipulated copy of each image of a batch.

    Args:
        model: the network in training, which is attacked with its current weights.
        batch: "rgb", "depth" and "mask", (B,C,H,W) in [0, 1].
        seed: of the training; iteration: of the step. Both decide what is done to which image.

    Returns:
        "rgb" and "depth" after manipulation, and labels (B,3), bool, in the order of
        `rgbdsod.fusion.alignment.manipulation.OUTPUTS`.
    """
    rng = np.random.default_rng((seed, iteration, 7))
    count = len(batch["mask"])
    kinds = [str(kind) for kind in rng.choice(KINDS if count > 1 else [k for k in KINDS if k != "swapped"], count)]
    labels = torch.tensor([LABELS[kind] for kind in kinds], device=batch["rgb"].device)
    attacked = _attacked(model, batch, rng, seed, iteration)
    result = {}
    for name in ("rgb", "depth"):
        ways = {name: attacked[name], "both": attacked[name], "noise": _noisy(batch[name], rng)}
        ways[f"patch {name}"] = _patched(batch[name], rng)
        if name == "depth":
            ways["swapped"] = batch[name].roll(1, 0)
        result[name] = torch.stack([ways.get(kind, batch[name])[place] for place, kind in enumerate(kinds)])
    return result, labels


def _attacked(
    model: SaliencyModel, batch: dict[str, Tensor], rng: np.random.Generator, seed: int, iteration: int
) -> dict[str, Tensor]:
    """Both inputs, moved together."""
    budget = Budget(eps=float(rng.choice(RADII)) / 255)
    how = AdversarialTraining(threat={"rgb": budget, "depth": budget}, steps=int(rng.choice(STEPS)))
    ids = [f"twin {iteration} {place}" for place in range(len(batch["mask"]))]
    inputs = {name: batch[name] for name in model.inputs}
    return how(model, inputs, batch["mask"], seed=seed, sample_ids=ids)


def _noisy(x: Tensor, rng: np.random.Generator) -> Tensor:
    """Gaussian noise of a strength drawn for the batch, as sensors have it."""
    noise = torch.from_numpy(rng.normal(0, rng.uniform(0.005, 0.03), tuple(x.shape)).astype(np.float32))
    return (x + noise.to(x)).clamp(0, 1)


def _patched(x: Tensor, rng: np.random.Generator) -> Tensor:
    """A square of random values over a quarter to a half of each side."""
    height, width = x.shape[-2:]
    side = max(1, int(min(height, width) * rng.uniform(0.25, 0.5)))
    top, left = int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1))
    values = torch.from_numpy(rng.random((len(x), x.shape[1], side, side)).astype(np.float32))
    result = x.clone()
    result[..., top : top + side, left : left + side] = values.to(x)
    return result
