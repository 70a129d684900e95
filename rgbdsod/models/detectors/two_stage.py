"""One look through torchvision's two-stage detectors: Faster, Mask and Keypoint R-CNN, of which the boxes are used.

Masks and keypoints are left out: no objective needs them, and an image's targets have none.
"""

from collections.abc import Sequence
from copy import copy
from functools import cached_property
from typing import Any, Self, cast

import torch
from torch import Tensor, nn
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.roi_heads import fastrcnn_loss

from rgbdsod.attacks.problem import frozen
from rgbdsod.models.detectors.frames import Frame, Labels, drawn, shielded, training_flag
from rgbdsod.models.detectors.protocol import Candidates
from rgbdsod.types import Detections, Objects

SEED = 0
"""Of the anchors and proposals that a loss samples, where nobody gives another.

The same for every image, so that its neighbours do not matter.
"""


class TwoStageLook:
    """What the stages say of a batch.

    Args:
        network: the detector.
        labels: which of its numbers are which classes.
        images: (B,3,H,W) in [0, 1].
    """

    def __init__(self, network: nn.Module, labels: Labels, images: Tensor) -> None:
        self._network = cast(Any, network)  # whose parts have methods of their own
        self._heads = self._network.roi_heads
        self._labels = labels
        self._seeds: Sequence[int] = [SEED] * len(images)
        with frozen(network):
            self._images, _ = self._network.transform(list(images))
            self._features: dict[str, Tensor] = self._network.backbone(self._images.tensors)
        self._frame = Frame((images.shape[-2], images.shape[-1]), self._images.image_sizes[0])

    def drawn(self, seeds: Sequence[int]) -> Self:
        """The same look, whose losses sample with these seeds, one for each image; nothing is computed again."""
        other = copy(self)
        other._seeds = seeds
        return other

    def losses(self, targets: Sequence[Objects]) -> Tensor:
        """The sum of the four box losses for each image, (B,)."""
        device = self._images.tensors.device
        inner = self._labels.targets(targets, self._frame)
        found = []
        with frozen(self._network):
            for row, (target, seed) in enumerate(zip(inner, self._seeds, strict=True)):
                with drawn(seed, device):
                    found.append(self._loss(row, target))
        return torch.stack(found)

    def candidates(self) -> list[Candidates]:
        """The classes' logits over the background's, and each class's box, of all proposals."""
        proposals, logits, deltas = self._judged
        counts = [len(one) for one in proposals]
        boxes = self._heads.box_coder.decode(deltas, proposals)
        rows = zip(torch.split(logits - logits[:, :1], counts), torch.split(boxes, counts), strict=True)
        return [
            Candidates(self._labels.columns(scores), self._frame.outward(self._labels.columns(own)))
            for scores, own in rows
        ]

    def detections(self, threshold: float | None = None) -> list[Detections]:
        """The network's own selection."""
        proposals, logits, deltas = self._judged
        with shielded(self._heads, threshold):
            found = self._heads.postprocess_detections(logits, deltas, proposals, self._images.image_sizes)
        return [
            self._labels.detections({"boxes": boxes, "scores": scores, "labels": labels}, self._frame)
            for boxes, scores, labels in zip(*found, strict=True)
        ]

    @cached_property
    def _judged(self) -> tuple[list[Tensor], Tensor, Tensor]:
        """Proposals, and the second stage's logits and box changes for all of them."""
        with frozen(self._network):
            proposals, _ = self._network.rpn(self._images, self._features)
            logits, deltas = self._second(self._features, proposals, self._images.image_sizes)
        return proposals, logits, deltas

    def _loss(self, row: int, target: dict[str, Tensor]) -> Tensor:
        image = ImageList(self._images.tensors[row : row + 1], self._images.image_sizes[row : row + 1])
        features = {name: part[row : row + 1] for name, part in self._features.items()}
        with training_flag(self._network.rpn):
            proposals, losses = self._network.rpn(image, features, [target])
        named = target | {"masks": None}  # asked for where there is a mask head, which is not run
        proposals, _, labels, changes = self._heads.select_training_samples(proposals, [named])
        logits, deltas = self._second(features, proposals, image.image_sizes)
        return torch.stack([*losses.values(), *fastrcnn_loss(logits, deltas, labels, changes)]).sum()

    def _second(
        self, features: dict[str, Tensor], proposals: list[Tensor], sizes: list[tuple[int, int]]
    ) -> tuple[Tensor, Tensor]:
        pooled = self._heads.box_roi_pool(features, proposals, sizes)
        logits, deltas = self._heads.box_predictor(self._heads.box_head(pooled))
        return logits, deltas
