"""The weight of a penalty, bisected per sample in rounds of its own."""

from typing import NamedTuple, Self

import torch
from torch import Tensor


class Rounds(NamedTuple):
    """Where each sample is in the search for its weight; a sample begins its next round without waiting for others.

    Args:
        weight: that of the round at work, (B,).
        lower: the largest so far that did not fool, (B,).
        upper: the smallest so far that did, infinite before, (B,).
        age: steps made in this round, (B,).
        played: rounds behind, (B,).
        won: whether this round has fooled, bool (B,).
        mark: the objective at the last check, (B,).
    """

    weight: Tensor
    lower: Tensor
    upper: Tensor
    age: Tensor
    played: Tensor
    won: Tensor
    mark: Tensor

    @classmethod
    def begin(cls, weight: Tensor) -> Self:
        """The first round, with first weights (B,)."""
        none = torch.zeros_like(weight)
        none_yet = torch.full_like(weight, torch.inf)
        return cls(weight, none, none_yet, none, none, none.bool(), none_yet)

    def after(self, objective: Tensor, fooled: Tensor, steps: int) -> tuple[Self, Tensor]:
        """What follows a step.

        A round ends after `steps` steps, or once it has fooled where a tenth of them has not lowered the objective by
        1e-4 of itself. After one that fooled the weight falls to the middle, after another it rises: to the middle, or
        tenfold.

        Args:
            objective: what the attack lowers, at the point just looked at, (B,).
            fooled: whether that point fooled, bool (B,).
            steps: the most a round may take.

        Returns:
            The state, and whether each sample begins a new round, bool (B,).
        """
        age, won = self.age + 1, self.won | fooled
        check = age % max(steps // 10, 1) == 0
        stalled = check & won & (objective > self.mark - 1e-4 * self.mark.abs())
        ended = stalled | (age >= steps)
        upper = torch.where(ended & won, torch.minimum(self.upper, self.weight), self.upper)
        lower = torch.where(ended & ~won, torch.maximum(self.lower, self.weight), self.lower)
        following = torch.where(torch.isfinite(upper), (lower + upper) / 2, self.weight * 10)
        state = type(self)(
            weight=torch.where(ended, following, self.weight),
            lower=lower,
            upper=upper,
            age=torch.where(ended, 0, age),
            played=self.played + ended,
            won=won & ~ended,
            mark=torch.where(ended, torch.inf, torch.where(check, objective, self.mark)),
        )
        return state, ended
