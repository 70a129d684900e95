"""An attack on one tiny image and network: what does not fit together is found before any image is read."""

from typing import Any

import torch
from torch import Tensor, nn

from rgbdsod.attacks import Budget, MapProblem
from rgbdsod.attacks.table import ATTACKS
from rgbdsod.run.attack_settings import AttackPlan
from rgbdsod.types import Inputs

_SIDE = 8
_SHORT = {"steps": 2, "restarts": 2, "rounds": 2, "draws": 2, "queries": 600}
"""The most of each in the rehearsal, where the run may have more; 600 queries are an iteration of every attack."""
_OF_THE_NETWORK = ("layers", "gate")  # they name parts of the real network


def rehearse(plan: AttackPlan) -> None:
    """Attack a network that sums the inputs, with the plan's settings.

    Raises:
        UsageError: whatever the attack has against them.
    """
    chosen = plan.settings
    inputs = {name: torch.full((1, 1 if name == "depth" else 3, _SIDE, _SIDE), 0.5) for name in plan.inputs}
    mask = torch.zeros(1, 1, _SIDE, _SIDE)
    problem = MapProblem(
        _Sum(plan.inputs),
        mask,
        objective=chosen.objective,
        goal=chosen.goal,  # type: ignore[arg-type]  # checked by the plan
        target=mask if chosen.goal == "paint" else None,
        success=plan.success,
    )
    short = {name: _shortened(name, value) for name, value in plan.parameters.items() if name not in _OF_THE_NETWORK}
    for radii in plan.radii:
        threat = {name: Budget(norm=plan.norm, eps=eps, levels=chosen.levels) for name, eps in radii.items()}
        ATTACKS[chosen.attack].load()(problem, inputs, threat, **short, seed=chosen.seed, sample_ids=["rehearsal"])


class _Sum(nn.Module):
    """Logits (B,1,H,W) to which every input contributes, from one convolution that leaves the random state alone."""

    def __init__(self, inputs: tuple[str, ...]) -> None:
        super().__init__()
        self.inputs = inputs
        self.mix = nn.Conv2d(len(inputs), 1, 1, bias=False, device="meta").to_empty(device="cpu")
        nn.init.constant_(self.mix.weight, 1.0)

    def forward(self, inputs: Inputs) -> Tensor:
        logits: Tensor = self.mix(torch.cat([inputs[name].mean(1, keepdim=True) for name in self.inputs], 1))
        return logits - 0.5


def _shortened(name: str, value: Any) -> Any:
    return min(value, _SHORT[name]) if name in _SHORT and isinstance(value, int) else value
