"""The ball around zero in which a universal noise lives."""

import torch
from torch import Tensor

from rgbdsod.attacks.budget import Budget, Threat
from rgbdsod.attacks.norms import unit
from rgbdsod.attacks.projections import norm
from rgbdsod.errors import UsageError

NORMS = ("linf", "l2")


def check_budgets(threat: Threat) -> None:
    """Refuse what one noise for all samples cannot keep.

    Raises:
        UsageError: another norm than Linf and L2, or a radius for each sample or pixel.
    """
    for name, budget in threat.items():
        if budget.norm not in NORMS:
            raise UsageError(f"a universal noise takes --norm {', '.join(NORMS)}, not {budget.norm} (for {name})")
        if isinstance(budget.eps, Tensor):
            raise UsageError(f"a universal noise has one radius for {name}; pass a number instead of a tensor")


def bounded(noise: Tensor, budget: Budget) -> Tensor:
    """The nearest noise (1, ...) within the radius."""
    if budget.norm == "linf":
        return noise.clamp(-float(budget.eps), float(budget.eps))
    return noise * (float(budget.eps) / norm(noise, 2).clamp_min(torch.finfo(noise.dtype).tiny)).clamp_max(1)


def steepest(gradient: Tensor, budget: Budget) -> Tensor:
    """The gradient's signs (Linf), or the gradient at length 1 (L2)."""
    return gradient.sign() if budget.norm == "linf" else unit(gradient, 2)


def size(noise: Tensor, budget: Budget) -> float:
    """How large a noise (1, ...) is in its budget's norm."""
    return float(norm(noise.double(), float("inf") if budget.norm == "linf" else 2))
