"""A place for each picture of a batch, one in each box of a picture, or the news that there is none."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import radians
from typing import NamedTuple

import torch
from torch import Tensor

from rgbdsod.attacks.budget import Threat
from rgbdsod.attacks.core import Common
from rgbdsod.attacks.engine import Engine
from rgbdsod.attacks.patch.placement import Placement, overlaps, pick, shadow_of
from rgbdsod.attacks.patch.pose import Pose, Size
from rgbdsod.attacks.patch.scene import Layer
from rgbdsod.attacks.problem import Problem
from rgbdsod.attacks.randomness import stream
from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs

CANDIDATES = 8
_MOST = 10  # patches on one picture, of policy "box"

_APDE_LEAST = 10  # pixels
_APDE_HEIGHT = (0.4, 0.6)
_APDE_TURN = radians(15)


class Spot(NamedTuple):
    """Where one patch hangs.

    Args:
        x, y: its centre.
        across, down: pixels of the image per pixel of the canvas.
        roll: turn about the centre, in radians.
    """

    x: float
    y: float
    across: float
    down: float
    roll: float = 0.0


class Known(NamedTuple):
    """What is known of the pictures' objects.

    Args:
        objects: bool (B,1,H,W); None: not known.
        boxes: for each picture (n,4), x0, y0, x1, y1 in pixels; None: not known.
        attacked: the same for policy "apde", of a victim behind a defence; None: `boxes`.
    """

    objects: Tensor | None = None
    boxes: Sequence[Tensor] | None = None
    attacked: Sequence[Tensor] | None = None

    @classmethod
    def of(cls, problem: Problem) -> "Known":
        """What a problem says of its objects, as `objects`, and as `targets` or `attacked` with boxes."""
        targets = getattr(problem, "targets", None)
        boxes = None if targets is None else [target.boxes for target in targets]
        return cls(getattr(problem, "objects", None), boxes, getattr(problem, "attacked", None))


@dataclass(frozen=True)
class Layout:
    """What decides where patches go.

    Args:
        placement: the policy.
        alpha: the patch's shape, (1,h,w).
        span: rows and columns of its window in the image; for boxes it is the side of the box that counts.
        image: (H, W).
        seed: of the draws.
        share: for boxes: the patch's side as a share of the box's, which is the root of its area.
    """

    placement: Placement
    alpha: Tensor
    span: Size
    image: Size
    seed: int
    share: float = 0.2

    @cached_property
    def shadow(self) -> Tensor:
        """The patch's pixels in its window, bool (h,w)."""
        return shadow_of(self.alpha, self.span)

    def spots(self, ids: Sequence[str], known: Known, *purpose: object) -> list[list[Spot]]:
        """The places on each picture; none where the policy cannot be met.

        Args:
            ids: of the samples, on which the draws depend.
            known: where objects are.
            purpose: what else the draws depend on, such as a step.
        """
        if self.placement.where == "box":
            return [self._in_boxes(boxes) for boxes in _boxes(known)]
        if self.placement.where == "apde":
            boxes = _boxes(known) if known.attacked is None else known.attacked
            draws = [stream(self.seed, sample, "place", *purpose) for sample in ids]
            return [self._apde(own, draw) for own, draw in zip(boxes, draws, strict=True)]
        found = []
        for row, sample in enumerate(ids):
            own = None if known.objects is None else known.objects[row, 0]
            allowed = self.placement.allowed(self.shadow, self.image, own)
            corner = pick(allowed, self.seed, sample, "place", *purpose)
            found.append([] if corner is None else [self.spot(*corner)])
        return found

    def spot(self, row: int, column: int) -> Spot:
        """The patch with the upper left corner of its window at a pixel."""
        height, width = self.span
        across, down = width / self.alpha.shape[-1], height / self.alpha.shape[-2]
        return Spot(column + (width - 1) / 2, row + (height - 1) / 2, across, down)

    def promising(self, weights: Tensor, count: int = CANDIDATES) -> list[Spot]:
        """The places (at most `count`) whose windows hold the largest sums, no two of them half over each other.

        Args:
            weights: what is summed under the patch, (H,W).
            count: how many.
        """
        sums = overlaps(weights.double().cpu(), self.shadow)
        apart = [max(1, side // 2) for side in self.shadow.shape]
        found: list[Spot] = []
        while len(found) < count and bool(torch.isfinite(sums).any()):
            row, column = divmod(int(sums.argmax()), sums.shape[1])
            found.append(self.spot(row, column))
            rows = slice(max(0, row - apart[0]), row + apart[0] + 1)
            sums[rows, max(0, column - apart[1]) : column + apart[1] + 1] = -torch.inf
        return found

    def _in_boxes(self, boxes: Tensor) -> list[Spot]:
        """A patch in the middle of each box, the largest boxes first."""
        found = []
        for x0, y0, x1, y1 in boxes.tolist():
            side = self.share * (max(x1 - x0, 0) * max(y1 - y0, 0)) ** 0.5
            if side >= 1:
                zoom = side / max(self.alpha.shape[-2:])
                found.append(Spot((x0 + x1 - 1) / 2, (y0 + y1 - 1) / 2, zoom, zoom))
        return sorted(found, key=lambda spot: -spot.across)[:_MOST]

    def _apde(self, boxes: Tensor, draw: torch.Generator) -> list[Spot]:
        """A patch on every box: as wide as a share of its longer side, in the middle across, turned a little.

        Source: Zheng et al., arXiv 2508.00649, the placement of the published reconstruction of its data.
        """
        found = []
        for x0, y0, x1, y1 in boxes.tolist():
            low, high = _APDE_HEIGHT
            height = low + (high - low) * float(torch.rand((), generator=draw))
            turn = (2 * float(torch.rand((), generator=draw)) - 1) * _APDE_TURN
            zoom = max(self.share * max(x1 - x0, y1 - y0), _APDE_LEAST) / max(self.alpha.shape[-2:])
            found.append(Spot((x0 + x1 - 1) / 2, y0 + height * (y1 - y0) - 0.5, zoom, zoom, turn))
        return found


def layers_of(spots: Sequence[Sequence[Spot]]) -> tuple[Layer, ...]:
    """One layer for the first place of each picture, one for the second, and so on.

    Args:
        spots: at least one for each picture.
    """
    layers = []
    for depth in range(max(map(len, spots))):
        rows = torch.tensor([own[min(depth, len(own) - 1)] for own in spots], dtype=torch.float64)
        there = torch.tensor([depth < len(own) for own in spots])
        layers.append(Layer(pose_of(rows), there))
    return tuple(layers)


def pose_of(spots: Tensor) -> Pose:
    """Patches that face the camera at spots (B,5), as the numbers of `Spot`."""
    return Pose.facing(spots[:, :2], spots[:, 2:4])._replace(roll=spots[:, 4])


def with_place(spots: Sequence[Sequence[Spot]]) -> tuple[Tensor, list[Sequence[Spot]]]:
    """The pictures that have a place, int64, and their places."""
    index = torch.tensor([row for row, own in enumerate(spots) if own], dtype=torch.int64)
    return index, [own for own in spots if own]


def sensitivity(problem: Problem, inputs: Inputs, threat: Threat, common: Common) -> tuple[Tensor, Tensor, Tensor]:
    """How much each pixel moves the objective: absolute gradients (B,H,W) at the clean inputs; and the passes, (B,)."""
    with Engine.open(
        problem, inputs, threat, attack="patch", seed=common.get("seed", 0), sample_ids=common.get("sample_ids"),
        precision=common.get("precision", "float32"),
    ) as engine:  # fmt: skip
        found = engine.gradient(engine.clean)
        return torch.stack([value.abs().sum(1) for value in found.gradients.values()]).sum(0), *engine.passes()


def _boxes(known: Known) -> list[Tensor]:
    """Each picture's boxes; where only its objects are known, the one box around them all.

    Raises:
        UsageError: neither is known.
    """
    if known.boxes is not None:
        return list(known.boxes)
    if known.objects is None:
        raise UsageError("a place in each box needs to know where objects are; use --where random or fixed")
    found = []
    for own in known.objects[:, 0]:
        rows, columns = own.any(1).nonzero().flatten(), own.any(0).nonzero().flatten()
        ends = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1] if len(rows) else []
        found.append(torch.tensor([[int(end) for end in ends]] if ends else []).view(-1, 4))
    return found
