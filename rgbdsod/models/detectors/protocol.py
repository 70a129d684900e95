"""What attacks and evaluations ask of a detector: four things, so that any detector can be wrapped."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol, Self, runtime_checkable

import torch
from torch import Tensor

from rgbdsod.types import Detections, Objects


class Candidates(NamedTuple):
    """All places of one image that a detector scores, before any are dropped.

    Attributes:
        scores: (K,C) logits of the classes; where the background competes (softmax), minus its logit.
        boxes: (K,1,4), or (K,C,4) where each class has a box of its own; x0, y0, x1, y1 in pixels of the image.
    """

    scores: Tensor
    boxes: Tensor

    def of(self, label: int) -> tuple[Tensor, Tensor]:
        """Logits (K,) and boxes (K,4) of one class."""
        return self.scores[:, label], self.boxes[:, label if self.boxes.shape[1] > 1 else 0]

    def detached(self) -> Self:
        """The same without the graph."""
        return type(self)(self.scores.detach(), self.boxes.detach())


@runtime_checkable
class Detector(Protocol):
    """A detector of named classes; labels are positions among them."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes."""
        ...

    def losses(self, images: Tensor, targets: Sequence[Objects]) -> Tensor:
        """The training loss of each image (B,), without a change to the network; the same call, the same numbers.

        Args:
            images: (B,3,H,W) in [0, 1].
            targets: what each is said to show; crowd boxes are left out by the caller.
        """
        ...

    def candidates(self, images: Tensor) -> list[Candidates]:
        """All scored places of each image, with gradients to the images."""
        ...

    def detect(self, images: Tensor) -> list[Detections]:
        """What is found in each image, the best first, scores and boxes with gradients to the images."""
        ...


class Look(Protocol):
    """One forward pass, of which several things can be asked without another."""

    def losses(self, targets: Sequence[Objects]) -> Tensor:
        """As of `Detector`."""
        ...

    def candidates(self) -> list[Candidates]:
        """As of `Detector`."""
        ...

    def detections(self, threshold: float | None = None) -> list[Detections]:
        """As `detect` of `Detector`, of this score or more; None: the detector's own."""
        ...


@runtime_checkable
class Sampling(Look, Protocol):
    """A look whose losses sample anchors and proposals at random."""

    def drawn(self, seeds: Sequence[int]) -> Self:
        """The same look with other draws, one seed for each image."""
        ...


@runtime_checkable
class Looking(Protocol):
    """A detector that answers several questions from one pass."""

    def look(self, images: Tensor) -> Look:
        """One forward pass over images (B,3,H,W) in [0, 1]."""
        ...


def look_at(detector: Detector, images: Tensor) -> Look:
    """A look through any detector; one that knows only the four methods is asked anew for each of them."""
    return detector.look(images) if isinstance(detector, Looking) else _Asking(detector, images)


class _Asking:
    """Asks a detector when a question comes."""

    def __init__(self, detector: Detector, images: Tensor) -> None:
        self._detector, self._images = detector, images

    def losses(self, targets: Sequence[Objects]) -> Tensor:
        return self._detector.losses(self._images, targets)

    def candidates(self) -> list[Candidates]:
        return self._detector.candidates(self._images)

    def detections(self, threshold: float | None = None) -> list[Detections]:
        found = self._detector.detect(self._images)
        return found if threshold is None else [at_least(one, threshold) for one in found]


class ByLooking:
    """The methods of `Detector` for a class that has `look`."""

    def look(self, images: Tensor) -> Look:
        """One forward pass over images (B,3,H,W) in [0, 1]."""
        raise NotImplementedError

    def losses(self, images: Tensor, targets: Sequence[Objects]) -> Tensor:
        """The training loss of each image (B,), without a change to the network."""
        return self.look(images).losses(targets)

    def candidates(self, images: Tensor) -> list[Candidates]:
        """All scored places of each image, with gradients to the images."""
        return self.look(images).candidates()

    def detect(self, images: Tensor) -> list[Detections]:
        """What is found in each image, the best first."""
        return self.look(images).detections()


def at_least(found: Detections, threshold: float) -> Detections:
    """The detections of this score or more."""
    keep = found.scores >= threshold
    return Detections(found.boxes[keep], found.scores[keep], found.labels[keep])


def no_objects(like: Tensor) -> Objects:
    """The truth of an image that shows nothing, on the device of a tensor."""
    device = like.device
    return Objects(
        torch.zeros(0, 4, device=device),
        torch.zeros(0, dtype=torch.int64, device=device),
        torch.zeros(0, dtype=torch.bool, device=device),
    )
