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
        force: the first force of all; None: 1, or 0.01 for several constraints.
        growth: what the force is multiplied by where a violation has not improved; None: 1.2, or 2.
        memory: what is kept of a multiplier at each step; None: 0.9, or 0.8.
    """

    def __init__(self, scale: Tensor, force: float | None, growth: float | None, memory: float | None) -> None:
        self._scale, self._settings = scale[:, None], (force, growth, memory)
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
        force, growth, memory = self._chosen(several=margins.shape[1] > 1)
        if not self._learned:
            self._learned = [torch.ones_like(seen), torch.full_like(seen, force), seen]
        multiplier, forces, before = self._learned
        fresh = (memory * multiplier + (1 - memory) * slope(seen, forces, multiplier)).clamp(_LEAST, _MOST)
        multiplier = torch.where(shares > 0, fresh, multiplier)
        self._age += 1
        if self._age % _PATIENCE == 0:
            stuck = (seen > 0) & (seen > _IMPROVED * before)
            forces, before = torch.where(stuck, growth * forces, forces), seen
        self._learned = [multiplier, forces, before]
        return (shares * penalty(violation, forces, multiplier)).sum(1)

    def _chosen(self, *, several: bool) -> tuple[float, float, float]:
        usual = (0.01, 2.0, 0.8) if several else (1.0, 1.2, 0.9)
        force, growth, memory = (
            ours if given is None else given for given, ours in zip(self._settings, usual, strict=True)
        )
        return force, growth, memory
