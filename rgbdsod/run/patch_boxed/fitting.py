"""The images that a detector's universal patch is fitted on, and that others do not show them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import torch

from rgbdsod.attacks.randomness import stream
from rgbdsod.attacks.universal.fitting import Batch
from rgbdsod.errors import DataError
from rgbdsod.models import DetectionProblem, Detector
from rgbdsod.run.patch_defense.boxed import BoxedImages
from rgbdsod.run.patch_defense.detection import DetectionSubject, Wish
from rgbdsod.run.pieces import cut


@dataclass(frozen=True, eq=False)
class BoxedBatches(Sequence[Batch]):
    """Batches of one size, mixed once, read when they are asked for.

    Args:
        detector: attacked.
        data: the images.
        wish: what the patch is to do.
        device: where the detector runs.
        parts: places of the images of each batch.
    """

    detector: Detector
    data: BoxedImages
    wish: Wish
    device: torch.device
    parts: Sequence[Sequence[int]]

    @classmethod
    def of(cls, detector: Detector, data: BoxedImages, wish: Wish, device: torch.device, batch: int, seed: int) -> Self:
        """All images in an order that the seed decides, so many at once."""
        mixed = _some(data, _order(data, seed))
        return cls(detector, mixed, wish, device, cut(mixed.sizes(), batch))

    def __len__(self) -> int:
        return len(self.parts)

    def __getitem__(self, at: Any) -> Any:
        part = list(self.parts[at])
        images, objects = self.data.batch(part)
        ids = [self.data.ids[place] for place in part]
        subject = DetectionSubject(self.detector, ids, images.to(self.device), objects, self.wish)
        size = (images.shape[-2], images.shape[-1])
        problem = DetectionProblem(
            self.detector, subject.attacked, objective=self.wish.objective, label=self.wish.label, sample_ids=ids,
            size=size,
        )  # fmt: skip
        return Batch(problem, subject.inputs, {})


def boxed_halves(data: BoxedImages, seed: int) -> tuple[BoxedImages, BoxedImages]:
    """Images to fit on, and others to test on, each in the set's own order.

    Raises:
        DataError: there is only one.
    """
    if len(data) < 2:
        raise DataError(
            f"{data.name} holds one image to attack; a universal patch is tested on others, so pass --fit-annotations"
        )
    order = _order(data, seed)
    first = sorted(order[: len(data) // 2])
    return _some(data, first), _some(data, sorted(order[len(data) // 2 :]))


def refuse_shared(fit: BoxedImages, test: BoxedImages) -> None:
    """Photographs that are in both sets, found by their pixels.

    Raises:
        DataError: there are some.
    """
    known = {_photograph(fit, place) for place in range(len(fit))}
    shared = [name for place, name in enumerate(test.ids) if _photograph(test, place) in known]
    if shared:
        raise DataError(
            f"{len(shared)} of {len(test)} photographs of {test.name} are among those that the patch is fitted on "
            f"({', '.join(shared[:3])}); pass other images as --fit-images"
        )


def _order(data: BoxedImages, seed: int) -> list[int]:
    found: list[int] = torch.randperm(len(data), generator=stream(seed, "patch", "split")).tolist()
    return found


def _some(data: BoxedImages, kept: Sequence[int]) -> BoxedImages:
    own = range(len(data.data)) if data.places is None else data.places
    return replace(data, places=tuple(own[place] for place in kept))


def _photograph(data: BoxedImages, place: int) -> str:
    return hashlib.sha256(data.image(place).image.tobytes()).hexdigest()
