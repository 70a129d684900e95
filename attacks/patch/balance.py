"""Whether what printing costs leaves the attack anything to say."""

from collections.abc import Mapping

import torch
from torch import Tensor

from rgbdsod.attacks.patch.problem import PatchProblem

_TIMES, _STEPS = 10.0, 50


class Balance:
    """Counts for how many steps in a row a cost's gradient is more than ten times as long as the attack's.

    Args:
        streaks: what was counted before, by setting.
    """

    def __init__(self, streaks: Mapping[str, int] | None = None) -> None:
        self.streaks = dict(streaks or {})

    def weigh(self, problem: PatchProblem, points: Mapping[str, Tensor], gradients: Mapping[str, Tensor]) -> None:
        """Count one step.

        Args:
            problem: what the gradients are of.
            points: the variables of one patch.
            gradients: of the objective less all costs.
        """
        pulls = _pulls(problem, points)
        attack = {name: value + sum(own[name] for own in pulls.values()) for name, value in gradients.items()}
        for setting, own in pulls.items():
            heavy = _length(own) > _TIMES * _length(attack)
            self.streaks[setting] = self.streaks.get(setting, 0) + 1 if heavy else 0

    @property
    def verdict(self) -> str | None:
        """Why a fit is to stop, in one sentence; None: it is not."""
        heavy = next((setting for setting, count in self.streaks.items() if count >= _STEPS), None)
        if heavy is None:
            return None
        return (
            f"{heavy} has outweighed the attack {_TIMES:g} times for {_STEPS} steps, so the fit stopped there; "
            f"pass a smaller --set {heavy}="
        )


def _pulls(problem: PatchProblem, points: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """Each cost's gradient, by setting and variable."""
    found = {}
    with torch.enable_grad():
        leaves = {name: value.detach().requires_grad_() for name, value in points.items()}
        for setting, cost in problem.costs(leaves).items():
            own = torch.autograd.grad(cost.sum(), list(leaves.values()), retain_graph=True, allow_unused=True)
            found[setting] = {
                name: torch.zeros_like(value) if gradient is None else gradient
                for (name, value), gradient in zip(leaves.items(), own, strict=True)
            }
    return found


def _length(gradients: Mapping[str, Tensor]) -> float:
    return float(torch.stack([value.norm() for value in gradients.values()]).norm())
