"""Any detector that can say, for each of its places, how much it looks like each class, and where its box is."""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.ops import batched_nms, box_iou, clip_boxes_to_image, generalized_box_iou_loss

from rgbdsod.attacks.problem import frozen
from rgbdsod.errors import UsageError
from rgbdsod.models.detectors.frames import check_objects
from rgbdsod.models.detectors.protocol import ByLooking, Candidates, Look
from rgbdsod.types import Detections, Objects

Forward = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Images (B,3,H,W) in [0, 1] to logits (B,K,C) and boxes (B,K,4), x0, y0, x1, y1 in pixels of the image."""

_MATCHED = 0.5


class DecodedDetector(ByLooking):
    """A detector given by its network and the decoding of its outputs.

    Detections are what is above the threshold and survives NMS within its class. The loss is a general one: cross-
    entropy of all logits, in which places that overlap a target are its class, and generalised IoU of their boxes.

    Args:
        network: held in eval mode while it is asked.
        classes: names of the classes.
        forward: images to logits and boxes, through the network; a gradient must pass.
        threshold: score from which on a place is a detection.
        overlap: IoU above which the weaker of two detections of one class is dropped.
        most: detections of an image at most.
        single: whether a place can be a detection of its best class only.
        clip: whether boxes end at the image's border.
        name: what messages call it.
        weights: where its weights are from, for records.

    Raises:
        UsageError: no classes.

    Example:
        >>> import torch
        >>> class Corner(torch.nn.Module):
        ...     def forward(self, images):
        ...         light = images[:, :, :8, :8].mean((1, 2, 3))
        ...         return (light[:, None, None] - 0.5) * 9, torch.tensor([0.0, 0, 8, 8]).expand(len(images), 1, 4)
        >>> network = Corner()
        >>> detector = DecodedDetector(network, ["light"], network)
        >>> len(detector.detect(torch.ones(1, 3, 16, 16))[0].boxes)
        1
    """

    learns_from_empty = True

    def __init__(
        self,
        network: nn.Module,
        classes: Sequence[str],
        forward: Forward,
        *,
        threshold: float = 0.05,
        overlap: float = 0.5,
        most: int = 100,
        single: bool = False,
        clip: bool = True,
        name: str = "detector",
        weights: str = "",
    ) -> None:
        if not classes:
            raise UsageError(f"{name} has no classes; pass their names")
        self.network, self.name, self.weights = network, name, weights
        self.classes = tuple(classes)
        self.threshold, self.overlap, self.most = threshold, overlap, most
        self.single, self.clip = single, clip
        self._forward = forward

    @property
    def modules(self) -> tuple[nn.Module, ...]:
        """What attacks hold still."""
        return (self.network,)

    def look(self, images: Tensor) -> Look:
        """One forward pass over images (B,3,H,W) in [0, 1].

        Raises:
            UsageError: the forward function returned other shapes.
        """
        with frozen(self.network):
            logits, boxes = self._forward(images)
        wanted = (len(images), boxes.shape[1], len(self.classes))
        if tuple(logits.shape) != wanted or boxes.shape[2:] != (4,):
            raise UsageError(
                f"{self.name} returned logits {tuple(logits.shape)} and boxes {tuple(boxes.shape)}; "
                f"expected (B,K,C) and (B,K,4), here {wanted} and {(*wanted[:2], 4)}"
            )
        return _DecodedLook(self, logits, boxes, (images.shape[-2], images.shape[-1]))


class _DecodedLook:
    """What the decoder says of a batch."""

    def __init__(self, detector: DecodedDetector, logits: Tensor, boxes: Tensor, size: tuple[int, int]) -> None:
        self._detector, self._logits, self._boxes, self._size = detector, logits, boxes, size

    def losses(self, targets: Sequence[Objects]) -> Tensor:
        rows = zip(self._logits, self._boxes, targets, strict=True)
        return torch.stack([_loss(*row) for row in rows])

    def candidates(self) -> list[Candidates]:
        return [Candidates(logits, boxes[:, None]) for logits, boxes in zip(self._logits, self._boxes, strict=True)]

    def detections(self, threshold: float | None = None) -> list[Detections]:
        level = self._detector.threshold if threshold is None else threshold
        return [self._select(*row, level) for row in zip(self._logits.sigmoid(), self._boxes, strict=True)]

    def _select(self, scores: Tensor, boxes: Tensor, threshold: float) -> Detections:
        if self._detector.single:
            scores = torch.where(scores == scores.amax(1, keepdim=True), scores, -1.0)
        places, labels = torch.where(scores >= threshold)
        values, own = scores[places, labels], boxes[places]
        if self._detector.clip:
            own = clip_boxes_to_image(own, self._size)
        keep = batched_nms(own.detach(), values.detach(), labels, self._detector.overlap)[: self._detector.most]
        return Detections(own[keep], values[keep], labels[keep])


def _loss(logits: Tensor, boxes: Tensor, objects: Objects) -> Tensor:
    """Loss of one image: logits (K,C), boxes (K,4)."""
    check_objects(objects, logits.shape[1])
    wanted = torch.zeros_like(logits)
    if not len(objects.boxes):
        return F.binary_cross_entropy_with_logits(logits, wanted, reduction="sum")
    overlap = box_iou(boxes.detach(), objects.boxes.to(boxes))
    # The place nearest to a target is its, however little they overlap.
    mine = overlap >= torch.minimum(overlap.amax(0), overlap.new_tensor(_MATCHED))
    best = torch.where(mine, overlap, -1.0).max(1)
    places = (best.values >= 0).nonzero().flatten()
    wanted[places, objects.labels[best.indices[places]]] = 1
    apart: Tensor = generalized_box_iou_loss(
        boxes[places], objects.boxes.to(boxes)[best.indices[places]], reduction="sum"
    )
    return (F.binary_cross_entropy_with_logits(logits, wanted, reduction="sum") + apart) / max(1, len(places))
