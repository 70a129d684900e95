"""What an attack did to a detector: objects lost, renamed, invented. Per image; means are the caller's."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import box_iou

from rgbdsod.errors import UsageError
from rgbdsod.types import Detections, Objects

IOU, SCORE = 0.5, 0.5
"""A detection counts from this overlap and this score on."""


def found(objects: Objects, detections: Detections, *, iou: float = IOU, score: float = SCORE) -> Tensor:
    """Which objects have a detection of their class on them.

    Args:
        objects: of one image.
        detections: in the same image.
        iou: overlap from which on a detection is on an object.
        score: from which on a detection counts.

    Returns:
        bool (N,).
    """
    detections = _moved(detections, objects.boxes)
    same = objects.labels[:, None] == detections.labels
    return (_on(objects.boxes, detections, iou, score) & same).any(1)


def renamed(
    objects: Objects, detections: Detections, label: int | None = None, *, iou: float = IOU, score: float = SCORE
) -> Tensor:
    """Which objects are found as another class alone, bool (N,).

    Args:
        objects: of one image.
        detections: in the same image.
        label: the class that counts; None: any other.
        iou: overlap from which on a detection is on an object.
        score: from which on a detection counts.
    """
    detections = _moved(detections, objects.boxes)
    on = _on(objects.boxes, detections, iou, score)
    other = objects.labels[:, None] != detections.labels
    if label is not None:
        other &= detections.labels == label
    return (on & other).any(1) & ~found(objects, detections, iou=iou, score=score)


def appeared(place: Tensor, detections: Detections, label: int, *, iou: float = IOU, score: float = SCORE) -> bool:
    """Whether a class is detected at a place (4,), x0, y0, x1, y1 in pixels."""
    detections = _moved(detections, place)
    on = _on(place[None], detections, iou, score)
    return bool((on & (detections.labels == label)).any())


def invented(objects: Objects, detections: Detections, *, iou: float = IOU, score: float = SCORE) -> Tensor:
    """Which detections count but are on no object of their class, bool (D,); a group of things excuses many."""
    detections = _moved(detections, objects.boxes)
    counts = detections.scores >= score
    if not len(objects.boxes):
        return counts
    overlap = box_iou(detections.boxes, objects.boxes)
    # A detection inside a group covers little of it, so the share of the detection is what counts there.
    inside = overlap * (_area(detections.boxes)[:, None] + _area(objects.boxes)) / (1 + overlap)
    share = inside / _area(detections.boxes)[:, None].clamp_min(1e-9)
    excused = torch.where(objects.crowd, share, overlap) >= iou
    return counts & ~(excused & (detections.labels[:, None] == objects.labels)).any(1)


def visible_share(boxes: Tensor, hidden: Tensor) -> Tensor:
    """Share of each box that a mask leaves free, (N,).

    Args:
        boxes: (N,4) x0, y0, x1, y1 in pixels.
        hidden: bool (H,W).
    """
    # Sums of all rectangles from the corner: a box is four of them.
    total = F.pad(hidden.double().cumsum(0).cumsum(1), (1, 0, 1, 0))
    height, width = hidden.shape
    x0, y0, x1, y1 = boxes.round().long().unbind(1)
    x0, x1, y0, y1 = x0.clamp(0, width), x1.clamp(0, width), y0.clamp(0, height), y1.clamp(0, height)
    covered = total[y1, x1] - total[y0, x1] - total[y1, x0] + total[y0, x0]
    share: Tensor = 1 - covered / ((x1 - x0) * (y1 - y0)).clamp_min(1)
    return share


def attack_success(
    truth: Sequence[Objects], clean: Sequence[Detections], attacked: Sequence[Detections]
) -> dict[str, Tensor]:
    """What became of the objects that the detector had found on the clean images.

    Args:
        truth: the objects of each image; groups of things (crowd) are left out.
        clean: detections in the clean images.
        attacked: detections in the attacked ones.

    Returns:
        Per image (B,): "found" on the clean image, of these "vanished" (not found now), of these again "renamed"
        (another class is found there), float counts; "flood": detections on no object, attacked minus clean.

    Raises:
        UsageError: not the same number of images.
    """
    if not len(truth) == len(clean) == len(attacked):
        raise UsageError(
            f"{len(truth)} images of truth, {len(clean)} clean and {len(attacked)} attacked; pass the same images"
        )
    rows = [_row(*one) for one in zip(truth, clean, attacked, strict=True)]
    names = ("found", "vanished", "renamed", "flood")
    return {name: torch.tensor([row[place] for row in rows], dtype=torch.float64) for place, name in enumerate(names)}


def vanish_rate(success: dict[str, Tensor]) -> float:
    """Share of the objects found on clean images that are not found now; NaN where none was found.

    Args:
        success: of `attack_success`.
    """
    return float(success["vanished"].sum() / success["found"].sum())


def _row(truth: Objects, clean: Detections, attacked: Detections) -> tuple[int, int, int, int]:
    single = Objects(*(field[~truth.crowd] for field in truth))
    before = found(single, clean)
    lost = before & ~found(single, attacked)
    flood = int(invented(truth, attacked).sum()) - int(invented(truth, clean).sum())
    return int(before.sum()), int(lost.sum()), int((lost & renamed(single, attacked)).sum()), flood


def _on(boxes: Tensor, detections: Detections, iou: float, score: float) -> Tensor:
    """Whether each detection counts and is on each box, bool (N,D)."""
    on: Tensor = (box_iou(boxes, detections.boxes) >= iou) & (detections.scores >= score)
    return on


def _moved(detections: Detections, like: Tensor) -> Detections:
    """The detections without their graph, on the device of the objects."""
    boxes, scores, labels = (field.detach().to(like.device) for field in detections)
    return Detections(boxes.to(like.dtype), scores, labels)


def _area(boxes: Tensor) -> Tensor:
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
