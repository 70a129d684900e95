"""Optimisers and learning rates of fine-tuning."""

from collections.abc import Iterable
from math import cos, pi

import torch

from rgbdsod.defenses.zero_shot.presets import TuningPreset


def build_optimizer(plan: TuningPreset, parameters: Iterable[torch.nn.Parameter]) -> torch.optim.Optimizer:
    """The plan's optimiser of these parameters."""
    if plan.optimizer == "adamw":
        return torch.optim.AdamW(parameters, lr=plan.lr, betas=plan.betas, weight_decay=plan.weight_decay)
    return torch.optim.SGD(parameters, lr=plan.lr, momentum=plan.momentum, weight_decay=plan.weight_decay)


def rate(plan: TuningPreset, update: int, total: int) -> float:
    """The learning rate of an update.

    Args:
        plan: with the highest rate, the warm-up and the schedule.
        update: counted from 0.
        total: updates in all.

    Source: the schedule of TeCoA (arXiv 2212.07016) and of those that follow it; a late schedule is that of FARE's
    released code, which looks at it after each update, so that the first one has the whole rate.
    """
    if plan.late_schedule:
        if update == 0:
            return plan.lr
        update -= 1
    if update < plan.warmup:
        return plan.lr * (update + 1) / plan.warmup
    if plan.schedule == "constant":
        return plan.lr
    return plan.lr * (1 + cos(pi * (update - plan.warmup) / (total - plan.warmup))) / 2
