"""One look through torchvision's one-stage detectors: FCOS, RetinaNet, SSD and SSDlite.

Their heads know everything in one pass: the classes' logits, the boxes and, given targets, the losses, which need no
training mode. So the network stays in eval mode throughout and no BatchNorm buffer can change.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torchvision.ops import box_iou

from rgbdsod.attacks.problem import frozen
from rgbdsod.models.detectors.frames import Frame, Labels, shielded
from rgbdsod.models.detectors.protocol import Candidates
from rgbdsod.types import Detections, Objects


class OneStageLook(ABC):
    """What a head says of a batch.

    Args:
        network: the detector.
        labels: which of its numbers are which classes.
        images: (B,3,H,W) in [0, 1].
    """

    def __init__(self, network: nn.Module, labels: Labels, images: Tensor) -> None:
        self._network = cast(Any, network)  # whose parts have methods of their own
        self._labels, self._count = labels, len(images)
        with frozen(network):
            prepared, _ = self._network.transform(list(images))
            features = self._network.backbone(prepared.tensors)
            maps = [features] if isinstance(features, Tensor) else list(features.values())
            self._head: dict[str, Tensor] = self._network.head(maps)
            self._anchors: list[Tensor] = self._network.anchor_generator(prepared, maps)
        self._sizes: list[tuple[int, int]] = prepared.image_sizes
        self._frame = Frame((images.shape[-2], images.shape[-1]), self._sizes[0])
        self._cells = [one.shape[-2] * one.shape[-1] for one in maps]

    def losses(self, targets: Sequence[Objects]) -> Tensor:
        """The sum of the network's losses for each image, (B,)."""
        rows = zip(self._anchors, self._labels.targets(targets, self._frame), strict=True)
        found = [
            self._loss({name: part[row : row + 1] for name, part in self._head.items()}, anchors, target)
            for row, (anchors, target) in enumerate(rows)
        ]
        return torch.stack([torch.stack(list(one.values())).sum() for one in found])

    def candidates(self) -> list[Candidates]:
        """The logits and boxes of all anchors."""
        deltas, logits = self._head["bbox_regression"], self._logits(self._head["cls_logits"])
        return [
            Candidates(
                self._labels.columns(logits[row]),
                self._frame.outward(self._decode(deltas[row], anchors))[:, None],
            )
            for row, anchors in enumerate(self._anchors)
        ]

    def detections(self, threshold: float | None = None) -> list[Detections]:
        """The network's own selection; nothing of it is random."""
        with shielded(self._network, threshold):
            found = self._select()
        return [self._labels.detections(one, self._frame) for one in found]

    def _logits(self, logits: Tensor) -> Tensor:
        """Logits in which 0 is the turning point."""
        return logits

    def _levels(self) -> list[int]:
        """Anchors of each map of the pyramid."""
        each = len(self._anchors[0]) // sum(self._cells)
        return [cells * each for cells in self._cells]

    def _select(self) -> list[dict[str, Tensor]]:
        levels = self._levels()
        split = {name: list(torch.split(part, levels, 1)) for name, part in self._head.items()}
        anchors = [list(torch.split(one, levels)) for one in self._anchors]
        found: list[dict[str, Tensor]] = self._network.postprocess_detections(split, anchors, self._sizes)
        return found

    @abstractmethod
    def _loss(self, head: dict[str, Tensor], anchors: Tensor, target: dict[str, Tensor]) -> dict[str, Tensor]:
        """The losses of one image."""

    @abstractmethod
    def _decode(self, deltas: Tensor, anchors: Tensor) -> Tensor:
        """Boxes (K,4) in pixels of the resized image."""


class FcosLook(OneStageLook):
    """FCOS: a point of the map is a candidate (Tian et al., 1904.01355)."""

    def _loss(self, head: dict[str, Tensor], anchors: Tensor, target: dict[str, Tensor]) -> dict[str, Tensor]:
        losses: dict[str, Tensor] = self._network.compute_loss([target], head, [anchors], self._levels())
        return losses

    def _decode(self, deltas: Tensor, anchors: Tensor) -> Tensor:
        boxes: Tensor = self._network.box_coder.decode(deltas, anchors)
        return boxes


class RetinaLook(OneStageLook):
    """RetinaNet (Lin et al., 1708.02002)."""

    def _loss(self, head: dict[str, Tensor], anchors: Tensor, target: dict[str, Tensor]) -> dict[str, Tensor]:
        losses: dict[str, Tensor] = self._network.compute_loss([target], head, [anchors])
        return losses

    def _decode(self, deltas: Tensor, anchors: Tensor) -> Tensor:
        boxes: Tensor = self._network.box_coder.decode_single(deltas, anchors)
        return boxes


class SsdLook(RetinaLook):
    """SSD and SSDlite: the background is a class of its own, the first (Liu et al., 1512.02325)."""

    def _loss(self, head: dict[str, Tensor], anchors: Tensor, target: dict[str, Tensor]) -> dict[str, Tensor]:
        boxes = target["boxes"]
        if len(boxes):
            matched = self._network.proposal_matcher(box_iou(boxes, anchors))
        else:
            matched = torch.full((len(anchors),), -1, dtype=torch.int64, device=anchors.device)
        losses: dict[str, Tensor] = self._network.compute_loss([target], head, [anchors], [matched])
        return losses

    def _logits(self, logits: Tensor) -> Tensor:
        return logits - logits[..., :1]

    def _select(self) -> list[dict[str, Tensor]]:
        found: list[dict[str, Tensor]] = self._network.postprocess_detections(self._head, self._anchors, self._sizes)
        return found
