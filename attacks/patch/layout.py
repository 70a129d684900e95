"""A place for each picture of a batch, or the news that there is none."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rgbdsod.attacks.budget import Threat
from rgbdsod.attacks.core import Common
from rgbdsod.attacks.engine import Engine
from rgbdsod.attacks.patch.placement import Placement, overlaps, pick
from rgbdsod.attacks.patch.pose import Size
from rgbdsod.attacks.problem import Problem
from rgbdsod.types import Inputs

Corner = tuple[int, int]
"""Row and column of the upper left corner of a patch's window."""

CANDIDATES = 8


@dataclass(frozen=True)
class Layout:
    """What decides where patches go.

    Args:
        placement: the policy.
        shadow: the patch's pixels in its window, bool (h,w).
        image: (H, W).
        seed: of the draws.
    """

    placement: Placement
    shadow: Tensor
    image: Size
    seed: int

    def corners(self, ids: Sequence[str], objects: Tensor | None, *purpose: object) -> list[Corner | None]:
        """A corner for each picture; None where the policy cannot be met.

        Args:
            ids: of the samples, on which the draws depend.
            objects: bool (B,1,H,W); None: not known.
            purpose: what else the draws depend on, such as a step.
        """
        found = []
        for row, sample in enumerate(ids):
            own = None if objects is None else objects[row, 0]
            allowed = self.placement.allowed(self.shadow, self.image, own)
            found.append(pick(allowed, self.seed, sample, "place", *purpose))
        return found

    def promising(self, weights: Tensor, count: int = CANDIDATES) -> list[Corner]:
        """The corners (at most `count`) whose windows hold the largest sums, no two of them half over each other.

        Args:
            weights: what is summed under the patch, (H,W).
            count: how many.
        """
        sums = overlaps(weights.double().cpu(), self.shadow)
        apart = [max(1, side // 2) for side in self.shadow.shape]
        found: list[Corner] = []
        while len(found) < count and bool(torch.isfinite(sums).any()):
            row, column = divmod(int(sums.argmax()), sums.shape[1])
            found.append((row, column))
            rows = slice(max(0, row - apart[0]), row + apart[0] + 1)
            sums[rows, max(0, column - apart[1]) : column + apart[1] + 1] = -torch.inf
        return found


def sensitivity(problem: Problem, inputs: Inputs, threat: Threat, common: Common) -> tuple[Tensor, Tensor, Tensor]:
    """How much each pixel moves the objective: absolute gradients (B,H,W) at the clean inputs; and the passes, (B,)."""
    with Engine.open(
        problem, inputs, threat, attack="patch", seed=common.get("seed", 0), sample_ids=common.get("sample_ids"),
        precision=common.get("precision", "float32"),
    ) as engine:  # fmt: skip
        found = engine.gradient(engine.clean)
        return torch.stack([value.abs().sum(1) for value in found.gradients.values()]).sum(0), *engine.passes()
