"""What attacks on detectors raise. Each takes a look and one aim per image, and gives one value per image, (B,).

Means over an image's objects, so that images with many do not outweigh the others; images without objects give 0 (and
weigh nothing, see `DetectionProblem.weights`).
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import box_iou

from rgbdsod.models.detectors.protocol import Candidates, Look, no_objects
from rgbdsod.types import Detections, Objects

NEAR = 0.3
"""A candidate with this overlap is on an object."""

_HIGHEST = 20
_TURNING, _SOFTNESS = 0.5, 0.1  # score at which a candidate floods, and how sharply


class Aim(NamedTuple):
    """What is wanted of one image.

    Attributes:
        objects: what it shows, without groups.
        label: the class to be seen, where there is one.
        place: where it is to be seen, (4,) pixels; None: anywhere.
    """

    objects: Objects
    label: int | None = None
    place: Tensor | None = None


def vanish(look: Look, aims: Sequence[Aim]) -> Tensor:
    """Minus the log-sum-exp of an object's class over the candidates on it."""
    return _over_objects(look, aims, lambda scores, near, label, _: -scores[near, label].logsumexp(0))


def misclass(look: Look, aims: Sequence[Aim]) -> Tensor:
    """Minus the cross-entropy with the wanted class of the candidates on an object; the background competes."""

    def turned(scores: Tensor, near: Tensor, label: int, wanted: int | None) -> Tensor:
        competing = F.pad(scores[near], (0, 1))
        return -F.cross_entropy(competing, torch.full((len(competing),), wanted or 0, device=scores.device))

    return _over_objects(look, aims, turned)


def vanish_post(look: Look, aims: Sequence[Aim]) -> Tensor:
    """Minus the sum of the 20 highest final scores of the objects' classes."""
    found = look.detections(0.0)
    return torch.stack([-_highest(one, aim.objects.labels) for one, aim in zip(found, aims, strict=True)])


def vanish_empty(look: Look, aims: Sequence[Aim]) -> Tensor:
    """Minus the loss that the images would have if they showed nothing."""
    losses = look.losses([no_objects(aim.objects.boxes) for aim in aims])
    return -_where_objects(losses, aims)


def untargeted(look: Look, aims: Sequence[Aim]) -> Tensor:
    """The loss of the truth."""
    return _where_objects(look.losses([aim.objects for aim in aims]), aims)


def appear(look: Look, aims: Sequence[Aim]) -> Tensor:
    """The log-sum-exp of the wanted class over the candidates at the place, or over all away from its own objects."""
    return torch.stack([_seen(one, aim) for one, aim in zip(look.candidates(), aims, strict=True)])


def flood(look: Look, aims: Sequence[Aim]) -> Tensor:
    """The soft number of candidates, of any class, whose score is above 0.5 and that are on no object."""
    return torch.stack([_flood(one, aim) for one, aim in zip(look.candidates(), aims, strict=True)])


def _over_objects(
    look: Look, aims: Sequence[Aim], value: Callable[[Tensor, Tensor, int, int | None], Tensor]
) -> Tensor:
    """The mean over an image's objects of a function of (scores, which are on it, its label, the wanted label)."""
    means = []
    for candidates, aim in zip(look.candidates(), aims, strict=True):
        parts = [
            value(candidates.scores, _near(candidates, box, label), label, aim.label)
            for box, label in zip(aim.objects.boxes, aim.objects.labels.tolist(), strict=True)
        ]
        means.append(torch.stack(parts).mean() if parts else candidates.scores.sum() * 0)
    return torch.stack(means)


def _near(candidates: Candidates, box: Tensor, label: int) -> Tensor:
    """Which candidates are on a box, bool (K,): those that overlap it by 0.3, or else the nearest."""
    overlap: Tensor = box_iou(candidates.of(label)[1].detach(), box[None].to(candidates.boxes))[:, 0]
    return overlap >= overlap.max().clamp(max=NEAR)


def _seen(candidates: Candidates, aim: Aim) -> Tensor:
    label = aim.label or 0
    scores, boxes = candidates.of(label)
    if aim.place is not None:
        return scores[_near(candidates, aim.place, label)].logsumexp(0)
    own = aim.objects.boxes[aim.objects.labels == label]
    if len(own):
        scores = torch.where(box_iou(boxes.detach(), own.to(boxes)).amax(1) < NEAR, scores, -torch.inf)
    return scores.logsumexp(0)


def _flood(candidates: Candidates, aim: Aim) -> Tensor:
    soft = ((candidates.scores.sigmoid() - _TURNING) / _SOFTNESS).sigmoid()
    if len(aim.objects.boxes):
        boxes = candidates.boxes.detach()
        overlap = box_iou(boxes.flatten(0, 1), aim.objects.boxes.to(boxes)).amax(1).view(boxes.shape[:2])
        soft = soft * (overlap < NEAR)
    return soft.sum()


def _highest(found: Detections, labels: Tensor) -> Tensor:
    own = torch.isin(found.labels, labels.to(found.labels.device))
    scores = found.scores[own]
    return scores.topk(min(_HIGHEST, len(scores))).values.sum() if len(scores) else found.scores.sum() * 0


def _where_objects(losses: Tensor, aims: Sequence[Aim]) -> Tensor:
    shown = torch.tensor([len(aim.objects.boxes) > 0 for aim in aims], device=losses.device)
    return torch.where(shown, losses, torch.zeros_like(losses))
