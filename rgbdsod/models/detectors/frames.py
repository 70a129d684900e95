"""Between a caller's images and classes and those that a torchvision network works with."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from rgbdsod.errors import UsageError
from rgbdsod.types import Detections, Objects


class Frame(NamedTuple):
    """The sizes (H, W) of the images as they came and as the network resized them."""

    outer: tuple[int, int]
    inner: tuple[int, int]

    def inward(self, boxes: Tensor) -> Tensor:
        """Boxes (..., 4) of the caller's pixels in those of the network."""
        return boxes * self._ratio(boxes)

    def outward(self, boxes: Tensor) -> Tensor:
        """Boxes (..., 4) of the network's pixels in those of the caller."""
        return boxes / self._ratio(boxes)

    def _ratio(self, boxes: Tensor) -> Tensor:
        height, width = (inner / outer for inner, outer in zip(self.inner, self.outer, strict=True))
        return boxes.new_tensor([width, height, width, height])


class Labels:
    """Which of a network's class numbers mean which of the named classes.

    Args:
        numbers: the network's number for each class; others (background, unused) are dropped.
    """

    def __init__(self, numbers: Sequence[int]) -> None:
        self._numbers = torch.tensor(numbers, dtype=torch.int64)
        self._places = torch.full((int(self._numbers.max()) + 2,), -1, dtype=torch.int64)
        self._places[self._numbers] = torch.arange(len(numbers))

    def columns(self, values: Tensor) -> Tensor:
        """Of values (K, numbers, ...) those of the classes, (K, C, ...)."""
        return values[:, self._numbers.to(values.device)]

    def targets(self, targets: Sequence[Objects], frame: Frame) -> list[dict[str, Tensor]]:
        """Targets as the network takes them.

        Raises:
            UsageError: a box without width or height, or a label that is no class.
        """
        return [self._target(one, frame) for one in targets]

    def detections(self, found: dict[str, Tensor], frame: Frame) -> Detections:
        """What the network found, without numbers that are no class."""
        places = self._places.to(found["labels"].device)
        labels = places[found["labels"].clamp(max=len(places) - 1)]
        keep = labels >= 0
        return Detections(frame.outward(found["boxes"][keep]), found["scores"][keep], labels[keep])

    def _target(self, objects: Objects, frame: Frame) -> dict[str, Tensor]:
        check_objects(objects, len(self._numbers))
        numbers = self._numbers.to(objects.labels.device)
        return {"boxes": frame.inward(objects.boxes.float()), "labels": numbers[objects.labels]}


def check_objects(objects: Objects, classes: int) -> None:
    """Refuse boxes and labels that no loss is defined for.

    Raises:
        UsageError: with the first of them.
    """
    flat = (objects.boxes[:, 2:] <= objects.boxes[:, :2]).any(1)
    if bool(flat.any()):
        box = ", ".join(f"{value:g}" for value in objects.boxes[flat][0].tolist())
        raise UsageError(f"a target box [{box}] has no width or no height; drop such boxes first")
    if len(objects.labels) and not 0 <= int(objects.labels.min()) <= int(objects.labels.max()) < classes:
        raise UsageError(
            f"a target has label {int(objects.labels.max())}, but the detector has {classes} classes, from 0 on"
        )


@contextmanager
def shielded(holder: Any, threshold: float | None) -> Iterator[None]:
    """Another score threshold for a while; the module's own comes back, also after an error."""
    own = holder.score_thresh
    holder.score_thresh = own if threshold is None else _below(threshold)
    try:
        yield
    finally:
        holder.score_thresh = own


def _below(threshold: float) -> float:
    """The networks keep what is above, the caller asks for what is at least."""
    return threshold - 1e-9 if threshold > 0 else -1.0


@contextmanager
def training_flag(module: nn.Module) -> Iterator[None]:
    """Training mode for one module, not for those inside it: what it computes changes, BatchNorm and Dropout do not."""
    own = module.training
    module.training = True
    try:
        yield
    finally:
        module.training = own


@contextmanager
def drawn(seed: int, device: torch.device) -> Iterator[None]:
    """Random numbers of a seed from the global generators, whose state is put back.

    The one exception to the rule that those stay untouched: torchvision samples anchors and proposals from them.
    """
    cuda = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda):
        torch.default_generator.manual_seed(seed)
        if cuda:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield
