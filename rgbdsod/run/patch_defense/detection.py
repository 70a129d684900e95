"""Detectors as victims of patches."""

import math
from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor
from torchvision.ops import box_iou, masks_to_boxes

from rgbdsod.attacks import Problem
from rgbdsod.attacks.patch.layout import Known
from rgbdsod.metrics import found, visible_share
from rgbdsod.metrics.detection_success import appeared, invented, renamed
from rgbdsod.models import DetectionProblem, Detector
from rgbdsod.models.detectors.problem import VISIBLE
from rgbdsod.run.patch_defense.boxed import areas
from rgbdsod.run.patch_defense.subject import Looked
from rgbdsod.types import Detections, Inputs, Objects

_IOU = 0.5
_GONE = 0.02


class Wish(NamedTuple):
    """What patches are to do.

    Args:
        objective: a name of `DETECTION_OBJECTIVES`.
        attacked: position of the class whose objects are attacked; None: all.
        label: position of the class to be seen, by "misclass" and "appear".
    """

    objective: str
    attacked: int | None = None
    label: int | None = None


class DetectionSubject:
    """Some images of one size before a detector.

    An image stands as well as its objects are found: by the mean of the best scores on them; where a class is to
    appear, by minus its best score at the patch; where detections are to flood, by minus their number.

    Args:
        detector: the victim.
        ids: of the images.
        images: (B,3,H,W) in [0, 1].
        objects: what each shows.
        wish: what patches are to do.
    """

    def __init__(
        self, detector: Detector, ids: Sequence[str], images: Tensor, objects: Sequence[Objects], wish: Wish
    ) -> None:
        self._detector, self._wish = detector, wish
        self.ids, self.inputs, self._truth = list(ids), {"image": images}, list(objects)

    @cached_property
    def problem(self) -> Problem:
        """What is wanted, about the attacked class alone."""
        wish = self._wish
        found: Problem = DetectionProblem(
            self._detector, self.attacked, objective=wish.objective, label=wish.label, sample_ids=self.ids
        )
        return found

    @property
    def attacked(self) -> list[Objects]:
        """The objects of the attacked class, where the images are."""
        device = self.inputs["image"].device
        return [Objects(*(field.to(device) for field in self._own(one))) for one in self._truth]

    @property
    def known(self) -> Known:
        """What placements may know: the attacked objects, groups left out."""
        return Known(self.objects, [one.boxes[~one.crowd].cpu() for one in self.attacked])

    @property
    def objects(self) -> Tensor:
        """The pixels in the boxes of attacked objects."""
        image = self.inputs["image"]
        return areas([self._own(one) for one in self._truth], (image.shape[-2], image.shape[-1])).to(image.device)

    def truth(self, hidden: Tensor) -> list[Objects]:
        """What each image shows beside its patch: what is hardly visible counts neither as found nor as missed."""
        return [_beside(one, mask) for one, mask in zip(self._truth, hidden[:, 0].cpu(), strict=True)]

    @property
    def floor(self) -> float:
        """A score that is hardly above 0, or for a class that is to appear hardly below 1; a flood has no end."""
        return {"flood": -math.inf, "appear": _GONE - 1}.get(self._wish.objective, _GONE)

    def look(self, inputs: Inputs, hidden: Tensor) -> list[Looked]:
        """Detections, and what became of the objects."""
        with torch.no_grad():
            detections = self._detector.detect(inputs["image"])
        rows = zip(detections, self.truth(hidden), hidden[:, 0].cpu(), strict=True)
        return [self._looked(_on_cpu(one), truth, mask) for one, truth, mask in rows]

    def _looked(self, seen: Detections, truth: Objects, hidden: Tensor) -> Looked:
        own, wish = _single(self._own(truth)), self._wish
        scores = _best_scores(own, seen)
        place = masks_to_boxes(hidden[None])[0] + torch.tensor([0, 0, 1, 1]) if bool(hidden.any()) else None
        false = int(invented(truth, seen).sum())
        values: dict[str, float | None] = {
            "objects": float(len(own.boxes)),
            "found": float(found(own, seen).sum()),
            "renamed": float(renamed(own, seen, wish.label).sum()),
            "invented": float(false),
            "appeared": None if wish.label is None or place is None else float(appeared(place, seen, wish.label)),
            "score": float(scores.mean()) if len(scores) else None,
        }
        if wish.objective == "flood":
            held = -float(false)
        elif wish.objective == "appear":
            held = -_best_at(place, seen, wish.label)
        else:
            held = values["score"] or 0.0
        return Looked(values, held, seen)

    def _own(self, objects: Objects) -> Objects:
        """The objects of the attacked class."""
        if self._wish.attacked is None:
            return objects
        keep = objects.labels == self._wish.attacked
        return Objects(*(field[keep] for field in objects))


def has_aims(objects: Objects, wish: Wish) -> bool:
    """Whether an image shows something that the wish is about; a wish to invent needs nothing."""
    if wish.objective in ("appear", "flood"):
        return True
    single = ~objects.crowd
    return bool(single.any() if wish.attacked is None else (single & (objects.labels == wish.attacked)).any())


def _single(objects: Objects) -> Objects:
    return Objects(*(field[~objects.crowd] for field in objects))


def _beside(objects: Objects, hidden: Tensor) -> Objects:
    if not len(objects.boxes):
        return objects
    return objects._replace(crowd=objects.crowd | (visible_share(objects.boxes, hidden) < VISIBLE))


def _best_scores(objects: Objects, seen: Detections) -> Tensor:
    """For each object the highest score of a detection of its class on it, 0 where there is none."""
    if not len(seen.scores):
        return torch.zeros(len(objects.boxes))
    on = (box_iou(objects.boxes, seen.boxes) >= _IOU) & (objects.labels[:, None] == seen.labels)
    best: Tensor = (on * seen.scores).amax(1)
    return best


def _best_at(place: Tensor | None, seen: Detections, label: int | None) -> float:
    """The highest score of a class at a place, 0 where it is not seen."""
    if place is None or not len(seen.scores):
        return 0.0
    on = (box_iou(place[None], seen.boxes)[0] >= _IOU) & (seen.labels == label)
    return float((on * seen.scores).max())


def _on_cpu(seen: Detections) -> Detections:
    return Detections(*(field.detach().cpu() for field in seen))
