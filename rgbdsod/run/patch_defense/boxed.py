"""Images with boxes as a run takes them: in a detector's classes, of sizes that are known without reading."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import torch
from torch import Tensor

from rgbdsod.datasets import BoxedImage, BoxedSet, CocoSet, boxed_batch, objects_of, renumbered
from rgbdsod.datasets.coco.square import squared
from rgbdsod.types import Objects

Size = tuple[int, int]


@dataclass(frozen=True, eq=False)
class BoxedImages:
    """A set of images with boxes before a detector.

    Args:
        data: the set.
        classes: of the detector.
        size: (H, W) that all images are brought to; None: as they are.
        places: of the images that count, in the set; None: all.
        square: whether they are padded to squares before they are resized.
    """

    data: BoxedSet
    classes: tuple[str, ...]
    size: Size | None = None
    places: tuple[int, ...] | None = None
    square: bool = False

    @property
    def name(self) -> str:
        """The set's."""
        return self.data.name

    @cached_property
    def ids(self) -> list[str]:
        """The images' numbers."""
        return [str(self.data.ids[place]) for place in self._places]

    def __len__(self) -> int:
        return len(self._places)

    def sizes(self) -> Sequence[Size]:
        """(H, W) of each image."""
        if self.size is not None:
            return [self.size] * len(self)
        if isinstance(self.data, CocoSet):
            records = [self.data.record(place) for place in self._places]
            found = [(int(one["height"]), int(one["width"])) for one in records]
        else:
            found = [self.data[place].size for place in self._places]
        return [(max(one), max(one)) for one in found] if self.square else found

    def image(self, place: int) -> BoxedImage:
        """An image in the detector's classes."""
        found = renumbered(self.data[self._places[place]], self.data.classes, self.classes)
        return squared(found) if self.square else found

    def where(self, shows: Callable[[Objects], bool]) -> tuple[Self, list[str]]:
        """The images whose objects answer to a description, and the ids of the others."""
        kept = [place for place in range(len(self)) if shows(objects_of(self.image(place)))]
        others = [name for place, name in enumerate(self.ids) if place not in set(kept)]
        return replace(self, places=tuple(self._places[place] for place in kept)), others

    def batch(self, part: Sequence[int]) -> tuple[Tensor, list[Objects]]:
        """Images (B,3,H,W) of one size in [0, 1], and what they show."""
        return boxed_batch([self.image(place) for place in part], self.size)

    def pictures(self, part: Sequence[int]) -> Tensor:
        """Images (B,3,H,W) of one size in [0, 1]."""
        return self.batch(part)[0]

    def picture(self, sample: str) -> Tensor:
        """The image after the one of this id, (3,H,W): of it natural crops are windows."""
        place = (self.ids.index(sample) + 1) % len(self)
        return self.batch([place])[0][0]

    def record(self) -> dict[str, Any]:
        """What run.json says: images, and a fingerprint of what they are said to show."""
        digest = hashlib.sha256(json.dumps([self.name, self.ids, list(self.data.classes)]).encode())
        for place in self._places:
            if isinstance(self.data, CocoSet):
                digest.update(json.dumps([dict(one) for one in self.data.objects(place)], sort_keys=True).encode())
        return {
            "name": self.name, "images": len(self), "fingerprint": digest.hexdigest(),
            "classes": len(self.data.classes), "size": None if self.size is None else list(self.size),
            "warnings": list(self.data.warnings), **({"letterbox": True} if self.square else {}),
        }  # fmt: skip

    @property
    def _places(self) -> Sequence[int]:
        return range(len(self.data)) if self.places is None else self.places


def areas(objects: Sequence[Objects], size: Size) -> Tensor:
    """The pixels in any box, bool (B,1,H,W)."""
    found = torch.zeros(len(objects), 1, *size, dtype=torch.bool)
    for row, one in enumerate(objects):
        for x0, y0, x1, y1 in one.boxes[~one.crowd].round().int().tolist():
            found[row, 0, max(y0, 0) : y1, max(x0, 0) : x1] = True
    return found
