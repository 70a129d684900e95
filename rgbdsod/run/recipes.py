"""Training recipes: how each network was trained by its authors, and how the small built-in ones are trained here."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import cos, pi
from typing import Literal

import torch

from rgbdsod.registry import Table


@dataclass(frozen=True)
class Recipe:
    """Optimiser, schedule and batch of one training.

    Args:
        name: the architecture's name for the authors' recipe, or "small".
        optimizer: "adam" or "adamw".
        lr: highest learning rate; betas, weight_decay: the optimiser's others.
        schedule: "constant", "cosine" to zero, "poly" (power 0.9), or "step" (x0.1 after each 30 % of the training).
        warmup: share of the iterations with a linearly growing rate.
        clip: every gradient element is clamped to [-clip, clip]; None leaves them.
        batch: images in a step.
        frozen_norm: BatchNorm keeps its statistics (evaluation mode during training).
        source: where the numbers come from.
    """

    name: str
    optimizer: Literal["adam", "adamw"] = "adamw"
    lr: float = 2e-3
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 1e-4
    schedule: Literal["constant", "cosine", "poly", "step"] = "cosine"
    warmup: float = 0.02
    clip: float | None = None
    batch: int = 16
    frozen_norm: bool = False
    source: str = "this repository"


RECIPES: Table[Recipe] = Table(
    "recipe",
    [
        Recipe("small"),
        Recipe("bbsnet", "adam", 1e-4, weight_decay=0.0, schedule="step", warmup=0.0, clip=0.5, batch=10,
               source="Fan et al., ECCV 2020, released code"),
        Recipe("jldcf", "adam", 5e-5, weight_decay=5e-4, schedule="constant", warmup=0.0, batch=10, frozen_norm=True,
               source="Fu et al., CVPR 2020, released code"),
        Recipe("d3net", "adam", 1e-4, (0.9, 0.99), weight_decay=0.0, schedule="constant", warmup=0.0, batch=8,
               source="Fan et al., TNNLS 2021, released code"),
    ],
)  # fmt: skip


def build_optimizer(recipe: Recipe, parameters: Iterable[torch.nn.Parameter], lr: float) -> torch.optim.Optimizer:
    """The recipe's optimiser at learning rate `lr`."""
    kind = torch.optim.AdamW if recipe.optimizer == "adamw" else torch.optim.Adam
    return kind(parameters, lr=lr, betas=recipe.betas, weight_decay=recipe.weight_decay)


def rate_factor(recipe: Recipe, iterations: int) -> Callable[[int], float]:
    """The learning rate at iteration t as a share of the highest, in [0, 1]."""
    warm = max(1, round(recipe.warmup * iterations))

    def factor(t: int) -> float:
        rise = min(1.0, (t + 1) / warm) if recipe.warmup else 1.0
        done = min(1.0, t / max(1, iterations))
        fall = {
            "constant": 1.0,
            "cosine": 0.5 * (1 + cos(pi * done)),
            "poly": (1 - done) ** 0.9,
            "step": 0.1 ** int(done / 0.3),
        }[recipe.schedule]
        return float(rise * fall)

    return factor
