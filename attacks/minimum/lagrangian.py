"""Constraints in an augmented Lagrangian: a penalty for each, whose slope at the turning point is its multiplier."""

import torch
from torch import Tensor

_BEYOND = 1e-4  # how far beyond its turning point a constraint is asked to be
_LEAST, _MOST = 1e-6, 1e12  # of a multiplier
_PATIENCE = 10  # steps between two looks at the improvement
_IMPROVED = 0.95  # what is left of a violation that counts as improved


def penalty(violation: Tensor, force: Tensor, multiplier: Tensor) -> Tensor:
    """Cubic where a constraint is violated, a hyperbola that levels off where it holds; smooth in between.

    Args:
        violation: positive while it is violated, (B,K).
        force: how fast the penalty bends, (B,K).
        multiplier: its slope at 0, (B,K).

    Source: Rony et al., "Augmented Lagrangian Adversarial Attacks", arXiv 2011.11857, section 3.1 (P2).
    """
    over, under = violation.clamp_min(0), violation.clamp_max(0)
    outside = multiplier * over + multiplier * force * over.square() + force.square() * over**3 / 6
    return outside + multiplier * under / (1 - force.clamp_min(1) * under)


@torch.no_grad()
def slope(violation: Tensor, force: Tensor, multiplier: Tensor) -> Tensor:
    """The penalty's slope, (B,K)."""
    over, under = violation.clamp_min(0), violation.clamp_max(0)
    outside = multiplier + 2 * multiplier * force * over + force.square() * over.square() / 2
    return torch.where(violation >= 0, outside, multiplier / (1 - force.clamp_min(1) * under).square())


class Lagrangian:
    """The penalties of all constraints of a batch, and what each has learned.

    Args:
        scale: what a sample's violations are measured in, (B,).
        force: the first force of all.
        growth: what the force is multiplied by where a violation has not improved.
        memory: what is kept of a multiplier at each step.
    """

    def __init__(self, scale: Tensor, force: float, growth: float, memory: float) -> None:
        self._scale, self._force, self._growth, self._memory = scale[:, None], force, growth, memory
        self._learned: list[Tensor] = []
        self._age = 0

    @property
    def state(self) -> list[Tensor]:
        """What belongs to the samples: their scale; multipliers, forces and violations, (B,K)."""
        return [self._scale, *self._learned]

    def select(self, state: list[Tensor]) -> None:
        """Go on with some of the samples, whose state this is."""
        self._scale, *self._learned = state

    def total(self, margins: Tensor, shares: Tensor) -> Tensor:
        """All penalties of a sample, (B,), after its multipliers have followed the violations.

        Args:
            margins: positive while a constraint is violated, (B,K).
            shares: how much each counts, (B,K); one that does not learns nothing.
        """
        violation = margins / self._scale + _BEYOND
        seen = violation.detach()
        if not self._learned:
            self._learned = [torch.ones_like(seen), torch.full_like(seen, self._force), seen]
        multiplier, forces, before = self._learned
        fresh = torch.lerp(slope(seen, forces, multiplier), multiplier, self._memory)
        multiplier = torch.where(shares > 0, fresh.clamp(_LEAST, _MOST), multiplier)
        self._age += 1
        if self._age % _PATIENCE == 0:
            stuck = (seen > 0) & (seen > _IMPROVED * before)
            forces, before = torch.where(stuck, self._growth * forces, forces), seen
        self._learned = [multiplier, forces, before]
        left = shares * (seen > 0)
        counts = shares + left / left.sum(1, keepdim=True).clamp_min(
            1e-12
        )  # the last one left must not be lost among many
        return (counts * penalty(violation, forces, multiplier)).sum(1)
