"""The problem of a detector: objects vanish, change or are invented."""

from collections.abc import Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn
from torchvision.ops import masks_to_boxes

from rgbdsod.attacks.partial import OnModel, whole
from rgbdsod.attacks.randomness import stream
from rgbdsod.errors import UsageError
from rgbdsod.metrics.detection_success import appeared, invented, renamed, visible_share
from rgbdsod.metrics.detection_success import found as found_objects
from rgbdsod.models.detectors.frames import check_objects
from rgbdsod.models.detectors.objective_table import DETECTION_OBJECTIVES
from rgbdsod.models.detectors.objectives import Aim
from rgbdsod.models.detectors.protocol import Detector, Look, Sampling, look_at
from rgbdsod.types import Detections, Inputs, Objects

VISIBLE = 0.2
"""Share of an object's box that a patch must leave free for it to count."""

FLOODED = 10
"""Detections on no object from which on an image counts as flooded."""


class DetectionProblem(OnModel):
    """A detector, what its images show, and what the attack wants of it.

    Its one input is "image", (B,3,H,W) in [0, 1]. An image is fooled where, at IoU 0.5 and score 0.5, none of its
    objects is found (vanish), not all of them are (untargeted), all are seen as the wanted class alone (misclass), the
    wanted class is seen at its place (appear), or ten detections are on no object (flood).

    Args:
        detector: any `Detector`.
        targets: what each image shows; groups of things (crowd) are left out.
        objective: a name of `DETECTION_OBJECTIVES`.
        label: the class to be seen by "misclass" and "appear": its name or its number.
        places: for "appear", where it is to be seen: (B,4) x0, y0, x1, y1 in pixels; None: anywhere.
        size: (H, W) of the images, for patches that hang on objects or beside them; None: such patches are refused.
        seed: of the anchors and proposals that the losses of two-stage detectors sample, anew at every step.
        sample_ids: one id for each image, on which its draws depend; None: all images have the same draws.

    Raises:
        UsageError: unknown objective or class; a wanted class missing or without use; a box without width or height;
            an objective that this detector has not; places or ids of another number; no object in any image.
    """

    kind = "boxes"

    def __init__(
        self,
        detector: Detector,
        targets: Sequence[Objects],
        *,
        objective: str = "vanish",
        label: str | int | None = None,
        places: Tensor | None = None,
        size: tuple[int, int] | None = None,
        seed: int = 0,
        sample_ids: Sequence[str] | None = None,
    ) -> None:
        name = str(getattr(detector, "name", type(detector).__name__))
        # A user's detector may itself be a module, whose own method has this name.
        modules = (detector,) if isinstance(detector, nn.Module) else tuple(getattr(detector, "modules", ()))
        super().__init__(whole(_Forward(detector, name), ("image",), modules))
        self._detector, self._size = detector, size
        device = next((weight.device for module in modules for weight in module.parameters()), None)
        self._row = DETECTION_OBJECTIVES[objective]
        self._objective = self._row.load()
        number = _number(detector.classes, label)
        self._aims = [Aim(_single(one, len(detector.classes), device), number) for one in targets]
        self._seed, self._ids = seed, [""] * len(targets) if sample_ids is None else list(sample_ids)
        if len(self._ids) != len(targets):
            raise UsageError(f"{len(self._ids)} sample ids for {len(targets)} images; pass one id for each")
        self._check()
        if places is not None:
            self._aims = self.at(places)._aims

    @property
    def targets(self) -> list[Objects]:
        """What each image shows, without groups."""
        return [aim.objects for aim in self._aims]

    @property
    def objects(self) -> Tensor | None:
        """The pixels of the objects' boxes, bool (B,1,H,W), where the size of the images is known."""
        return (
            None if self._size is None else torch.stack([_filled(aim.objects.boxes, self._size) for aim in self._aims])
        )

    @property
    def weights(self) -> Tensor:
        """How much each image counts in a mean over images, (B,).

        Its number of objects, where the objective is about objects, and else 1: an image without objects then changes
        neither the mean nor its divisor.
        """
        return torch.tensor([float(len(aim.objects.boxes)) if self._row.needs_objects else 1.0 for aim in self._aims])

    def forward(self, inputs: Inputs) -> Look:
        """One look at the images.

        Raises:
            UsageError: images of another number or shape.
        """
        if "image" in inputs and len(inputs["image"]) != len(self._aims):
            raise UsageError(
                f"{len(inputs['image'])} images with targets of {len(self._aims)}; pass the targets of each image"
            )
        look: Look = self._model(inputs)
        return look

    def loss(self, outputs: Look, progress: float = 0.0) -> Tensor:
        """The objective, (B,); at another progress, other anchors and proposals are sampled where any are."""
        loss: Tensor = self._objective(self._drawn(outputs, progress), self._aims)
        return loss

    def track(self, outputs: Look) -> Tensor | None:
        """The loss ranks; where it samples, under one draw for all steps, or the luckiest draw would rank first."""
        return self.loss(outputs, 1.0) if self._row.of_training and isinstance(outputs, Sampling) else None

    def fooled(self, outputs: Look) -> Tensor:
        """Whether the objective's goal is reached, bool (B,); never in images without objects, where it needs some."""
        found = outputs.detections()
        rows = [self._reached(aim, one) for aim, one in zip(self._aims, found, strict=True)]
        return torch.tensor(rows, device=found[0].scores.device if found else None)

    def margins(self, outputs: Any) -> Tensor:
        """A detector has none.

        Raises:
            UsageError: always.
        """
        raise UsageError(f"{self.name} has no margins; attack detectors with a gradient attack such as pgd or patch")

    def raising(self, objective: str) -> Self:
        """The problem with another objective, about the same class and places."""
        row = DETECTION_OBJECTIVES[objective]
        other = self._with(_row=row, _objective=row.load())
        other._check()
        return other

    def at(self, places: Tensor) -> Self:
        """The problem with other places at which the class is to be seen.

        Args:
            places: (B,4) x0, y0, x1, y1 in pixels.

        Raises:
            UsageError: of another number.
        """
        if places.shape != (len(self._aims), 4):
            raise UsageError(f"places of shape {tuple(places.shape)}; pass one box for each image, {len(self._aims)}x4")
        return self._with(_aims=[aim._replace(place=place) for aim, place in zip(self._aims, places, strict=True)])

    def beside(self, hidden: Tensor) -> Self:
        """The problem about what a patch leaves to be seen.

        Objects of which less than a fifth is visible are left out, and a class that is to appear is to appear there.

        Args:
            hidden: the pixels under a patch, bool (B,1,H,W).
        """
        rows = zip(self._aims, hidden[:, 0].to(torch.bool), strict=True)
        return self._with(_aims=[_beside(aim, mask, self._row.goal == "appear") for aim, mask in rows])

    def select(self, index: Tensor) -> Self:
        """The problem for some of the samples."""
        aims, ids = ([values[row] for row in index.tolist()] for values in (self._aims, self._ids))
        return self._with(_model=self._model.select(index), _aims=aims, _ids=ids)

    def _drawn(self, look: Look, progress: float) -> Look:
        """The look with the draws of a step."""
        if not (self._row.of_training and isinstance(look, Sampling)):
            return look
        return look.drawn([stream(self._seed, sample, "draw", progress).initial_seed() for sample in self._ids])

    def _check(self) -> None:
        row, label = self._row, self._aims[0].label if self._aims else None
        if row.wants == "label" and label is None:
            raise UsageError(f'objective "{row.name}" needs the class to be seen; pass label=NAME')
        if row.needs_objects and not any(len(aim.objects.boxes) for aim in self._aims):
            raise UsageError(f'objective "{row.name}" needs objects, and no image has one; pass annotated images')
        if row.needs_empty and not getattr(self._detector, "learns_from_empty", True):
            raise UsageError(
                f'objective "{row.name}" cannot attack {self.name}: its loss of an image without objects is always 0, '
                'since it takes negatives in proportion to the objects; use "vanish"'
            )

    def _reached(self, aim: Aim, detections: Detections) -> bool:
        objects, goal = aim.objects, self._row.goal
        if self._row.needs_objects and not len(objects.boxes):
            return False
        if goal == "misclass":
            return bool(renamed(objects, detections, aim.label).all())
        if goal == "appear":
            return _appeared(aim, detections)
        if goal == "flood":
            return int(invented(objects, detections).sum()) >= FLOODED
        seen = found_objects(objects, detections)
        return not bool(seen.any() if goal == "vanish" else seen.all())


class _Forward:
    """A detector as a function of its named input."""

    def __init__(self, detector: Detector, name: str) -> None:
        self._detector, self.name = detector, name

    def __call__(self, inputs: Inputs) -> Look:
        images = inputs["image"]
        if images.ndim != 4 or images.shape[1] != 3:
            raise UsageError(f"images of shape {tuple(images.shape)}; pass (B,3,H,W)")
        return look_at(self._detector, images)


def _single(objects: Objects, classes: int, device: torch.device | None) -> Objects:
    """The objects that are no groups, on the detector's device.

    Raises:
        UsageError: a box without width or height, or a label that is no class.
    """
    single = Objects(*(field[~objects.crowd].to(device=device) for field in objects))
    check_objects(single, classes)
    return single


def _number(classes: Sequence[str], label: str | int | None) -> int | None:
    if isinstance(label, str):
        if label not in classes:
            raise UsageError(f'the detector has no class "{label}"; it has {", ".join(classes)}')
        return list(classes).index(label)
    if label is not None and not 0 <= label < len(classes):
        raise UsageError(f"the detector has no class {label}; its {len(classes)} classes begin at 0")
    return label


def _appeared(aim: Aim, detections: Detections) -> bool:
    label = aim.label or 0
    if aim.place is not None:
        return appeared(aim.place, detections, label)
    new = invented(aim.objects, detections) & (detections.labels == label)
    return bool(new.any())


def _filled(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """The pixels of boxes, bool (1,H,W): those whose middle is inside."""
    y, x = (torch.arange(side, device=boxes.device) + 0.5 for side in size)
    x0, y0, x1, y1 = boxes[..., None].unbind(1)
    rows, cols = (y0 <= y) & (y < y1), (x0 <= x) & (x < x1)
    return (rows[:, :, None] & cols[:, None]).any(0)[None]


def _beside(aim: Aim, hidden: Tensor, there: bool) -> Aim:
    """The aim beside the pixels under a patch, bool (H,W); `there`: what is to appear is to appear on them."""
    seen = visible_share(aim.objects.boxes, hidden) >= VISIBLE
    objects = aim.objects if bool(seen.all()) else Objects(*(field[seen] for field in aim.objects))
    place = aim.place
    if there and bool(hidden.any()):
        place = masks_to_boxes(hidden[None])[0]
        place[2:] += 1  # corners are pixels, places go to their far side
    return aim._replace(objects=objects, place=place)
