"""An attack on one tiny image without a network: what does not fit together is found before any image is read."""

from typing import Any

import torch
from torch import Tensor

from rgbdsod.attacks import Budget, MapProblem
from rgbdsod.attacks.table import ATTACKS
from rgbdsod.run.attack_settings import AttackPlan
from rgbdsod.types import Inputs

_SIDE = 8
_LONG = ("steps", "restarts", "queries", "rounds", "draws")
_SHORT = 2  # of each in the rehearsal, where the run has more


def rehearse(plan: AttackPlan) -> None:
    """Attack a sum of the inputs with the plan's settings.

    Raises:
        UsageError: whatever the attack has against them.
    """
    chosen = plan.settings
    inputs = {name: torch.full((1, 1 if name == "depth" else 3, _SIDE, _SIDE), 0.5) for name in plan.inputs}
    mask = torch.zeros(1, 1, _SIDE, _SIDE)
    problem = MapProblem(
        _sum,
        mask,
        objective=chosen.objective,
        goal=chosen.goal,  # type: ignore[arg-type]  # checked by the plan
        target=mask if chosen.goal == "paint" else None,
        success=plan.success,
        inputs=plan.inputs,
        modules=(),
    )
    short = {name: _shortened(name, value) for name, value in plan.parameters.items()}
    for radii in plan.radii:
        threat = {name: Budget(norm=plan.norm, eps=eps, levels=chosen.levels) for name, eps in radii.items()}
        ATTACKS[chosen.attack].load()(problem, inputs, threat, **short, seed=chosen.seed, sample_ids=["rehearsal"])


def _sum(inputs: Inputs) -> Tensor:
    """Logits (B,1,H,W) to which every input contributes."""
    return torch.stack([value.mean(1, keepdim=True) for value in inputs.values()]).sum(0) - 0.5


def _shortened(name: str, value: Any) -> Any:
    return min(value, _SHORT) if name in _LONG and isinstance(value, int) else value
