"""What an attack reached, measured alike for all contestants on the points that they hand back."""

from dataclasses import dataclass

import torch
from torch import Tensor

from contest.cases import Case
from contest.tasks import Task

SLACK = 1e-5


@dataclass(frozen=True, eq=False)
class Outcome:
    """Per sample.

    Args:
        fooled: bool (B,); points outside the box or the radius do not count.
        norm: of the change, (B,); L0 counts values.
        loss: what the attack raises, (B,).
        outside: how far the worst point is outside the box or the radius.
    """

    fooled: Tensor
    norm: Tensor
    loss: Tensor
    outside: float

    @property
    def success(self) -> float:
        """Share of the samples."""
        return float(self.fooled.float().mean())

    @property
    def typical_norm(self) -> float:
        """The median over all samples, a failure being infinitely far; NaN where most failed."""
        value = float(self.norm.where(self.fooled, torch.inf).median())
        return value if value < torch.inf else float("nan")


@torch.no_grad()
def judge(task: Task, case: Case, points: Tensor) -> Outcome:
    """Measure a contestant's points (B,C,H,W)."""
    points = torch.as_tensor(points).detach().to(task.images)
    problem = task.problem(case.targeted)
    outputs = problem.forward(task.inputs(points))
    norm = length(points - task.images, case.norm)
    excess = torch.stack([-points.flatten(1).amin(1), points.flatten(1).amax(1) - 1]).amax(0)
    if case.eps is not None:
        excess = torch.maximum(excess, norm - case.eps)
    return Outcome(
        fooled=problem.fooled(outputs) & (excess <= SLACK),
        norm=norm,
        loss=problem.loss(outputs),
        outside=max(0.0, float(excess.max())),
    )


def length(change: Tensor, norm: str) -> Tensor:
    """The size of each sample's change, (B,)."""
    flat = change.flatten(1)
    if norm == "l0":
        return (flat.abs() > SLACK).sum(1).float()
    return flat.abs().amax(1) if norm == "linf" else flat.norm(dim=1)
