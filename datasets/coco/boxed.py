"""A set of images with boxes, whatever it is read from."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rgbdsod.datasets.sample import Flags, Map, Picture
from rgbdsod.errors import DataError, UsageError


@dataclass(frozen=True, eq=False)
class BoxedImage:
    """One image with its objects.

    Attributes:
        id: the image's number in its set's annotations.
        file: its file name.
        image: (H,W,3) uint8, RGB order.
        boxes: (N,4) float32, x0, y0, x1, y1 in pixels.
        labels: int64 (N,), positions in the set's class names.
        crowd: bool (N,), groups of things that nobody separated.
    """

    id: int
    file: str
    image: Picture
    boxes: Map
    labels: NDArray[np.int64]
    crowd: Flags

    @property
    def size(self) -> tuple[int, int]:
        """(H, W)."""
        return self.image.shape[0], self.image.shape[1]


class BoxedSet(ABC):
    """Images with boxes by position, read when asked for.

    Attributes:
        name: how tables call the set.
        ids: the images' numbers, all different.
        classes: names of the classes.
        warnings: what a user should know before trusting a number, one sentence each.
    """

    def __init__(self, name: str, ids: Sequence[int], classes: Sequence[str], warnings: Sequence[str] = ()) -> None:
        if not ids:
            raise DataError(f"{name} has no images; check the annotations")
        self.name, self.ids, self.classes, self.warnings = name, list(ids), tuple(classes), list(warnings)

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, position: int) -> BoxedImage:
        """The image at a position; negative ones count from the end."""
        if not -len(self) <= position < len(self):
            raise IndexError(f"{self.name} has {len(self)} images, there is no position {position}")
        return self.read(position % len(self))

    def __iter__(self) -> Iterator[BoxedImage]:
        return (self[position] for position in range(len(self)))

    @abstractmethod
    def read(self, position: int) -> BoxedImage:
        """The image at a position from 0 on."""


def renumbered(image: BoxedImage, own: Sequence[str], wanted: Sequence[str]) -> BoxedImage:
    """The image under another list of classes; objects of classes that are not in it are left out.

    Args:
        image: labelled by positions in `own`.
        own: the set's class names.
        wanted: the class names of a detector.

    Raises:
        UsageError: the two have no class in common.
    """
    places = [list(wanted).index(name) if name in wanted else -1 for name in own]
    if max(places) < 0:
        raise UsageError(
            f"the images have classes {', '.join(own[:3])}, ... and the detector {', '.join(wanted[:3])}, ...; "
            "none is common, use data of the detector's classes"
        )
    labels = np.array(places, np.int64)[image.labels]
    keep = labels >= 0
    return BoxedImage(image.id, image.file, image.image, image.boxes[keep], labels[keep], image.crowd[keep])
