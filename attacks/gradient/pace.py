"""What APGD remembers of each sample, and when it halves a sample's steps."""

from dataclasses import dataclass, fields
from typing import Any, Self

import torch
from torch import Tensor

from rgbdsod.attacks.evaluation import Evaluation
from rgbdsod.types import Inputs


@dataclass
class Pace:
    """The best point of each sample, and how its steps have paid since the last checkpoint.

    Args:
        points: the best so far, by input.
        gradients: there.
        value: there, (B,).
        share: what halving has left of the steps, (B,).
        last: the value at the point before, (B,).
        rises: how many steps raised the value since the last checkpoint, (B,).
        checked: the best value at the last checkpoint, (B,).
        halved: whether the steps were halved there, bool (B,).
    """

    points: dict[str, Tensor]
    gradients: dict[str, Tensor]
    value: Tensor
    share: Tensor
    last: Tensor
    rises: Tensor
    checked: Tensor
    halved: Tensor

    @classmethod
    def of(cls, points: Inputs, evaluation: Evaluation) -> Self:
        """At the first point."""
        value = evaluation.value
        none, all_ = torch.zeros_like(value), torch.ones_like(value)
        return cls(dict(points), dict(evaluation.gradients), value, all_, value, none, value, none.bool())

    def note(self, points: Inputs, evaluation: Evaluation) -> None:
        """At a further point."""
        value = evaluation.value
        better = value > self.value
        self.rises, self.last = self.rises + (value > self.last), value
        self.value = torch.where(better, value, self.value)
        self.points = chosen(better, points, self.points)
        self.gradients = chosen(better, evaluation.gradients, self.gradients)

    def check(self, needed: float) -> Tensor:
        """Halve the steps of samples that they do not serve; returns which these are, bool (B,).

        Args:
            needed: steps serve where more of them than this raised the value, unless the best value stood still since
                the last checkpoint and nothing was halved there.

        Source: Croce and Hein, arXiv 2003.01690, section 4.1, conditions 1 and 2.
        """
        self.halved = (self.rises <= needed) | (~self.halved & (self.value <= self.checked))
        self.share = torch.where(self.halved, self.share / 2, self.share)
        self.rises, self.checked = torch.zeros_like(self.rises), self.value
        return self.halved

    def select(self, index: Tensor) -> Self:
        """Of some of the samples."""
        return type(self)(*(_rows(getattr(self, field.name), index) for field in fields(self)))


def checkpoints(steps: int) -> set[int]:
    """After how many steps the pace is checked: after 22 % of them, then at gaps that shrink from 19 % to 6 %.

    Source: Croce and Hein, arXiv 2003.01690, section 4.1.
    """
    gap, least, shrink = (max(int(share * steps), 1) for share in (0.22, 0.06, 0.03))
    found, at = set(), gap
    while at < steps:
        found.add(at)
        gap = max(gap - shrink, least)
        at += gap
    return found


def chosen(flags: Tensor, one: Inputs, other: Inputs) -> dict[str, Tensor]:
    """The one where a sample is flagged, the other elsewhere.

    Args:
        flags: bool (B,).
        one: by input, (B, ...).
        other: alike.
    """
    return {
        name: torch.where(flags.view(-1, *[1] * (value.ndim - 1)), value, other[name]) for name, value in one.items()
    }


def _rows(value: Any, index: Tensor) -> Any:
    return {name: part[index] for name, part in value.items()} if isinstance(value, dict) else value[index]
