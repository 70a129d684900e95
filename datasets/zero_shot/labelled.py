"""A set of labelled images with the texts of its classes."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from rgbdsod.datasets.sample import Picture
from rgbdsod.datasets.zero_shot.prompts import GENERIC, written
from rgbdsod.errors import DataError, UsageError


@dataclass(frozen=True, eq=False)
class LabelledImage:
    """One image with its class.

    Attributes:
        id: name that is unique in its set.
        image: (H,W,3) uint8, RGB order; grey and palette files are converted, an alpha channel is dropped.
        label: position in the set's class names.
    """

    id: str
    image: Picture
    label: int


class ImageSet(ABC):
    """Labelled images by position, read when asked for.

    Attributes:
        name: how tables call the set.
        split: which part of the data it is, such as "test" or "all".
        ids: one name for each image, all different.
        labels: int64 (N,), positions in `class_names`.
        class_names: as the prompts use them.
        template: the prompt, with {} for the class name.
        refine: whether names are made lower case and plain in prompts.
        warnings: what a user should know before trusting a number, one sentence each.

    Raises:
        DataError: no images, labels without a class, or classes without images.
        UsageError: a template without {}.
    """

    def __init__(
        self,
        name: str,
        *,
        split: str,
        ids: Sequence[str],
        labels: Sequence[int] | NDArray[np.integer],
        class_names: Sequence[str],
        template: str = GENERIC,
        refine: bool = True,
        warnings: Sequence[str] = (),
    ) -> None:
        self.name, self.split, self.template, self.refine = name, split, template, refine
        self.ids, self.class_names, self.warnings = list(ids), list(class_names), list(warnings)
        self.labels = np.asarray(labels, np.int64)
        _check(self)

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, position: int) -> LabelledImage:
        """The image at a position; negative ones count from the end."""
        if not -len(self) <= position < len(self):
            raise IndexError(f"{self.name} has {len(self)} images, there is no position {position}")
        position %= len(self)
        return LabelledImage(self.ids[position], self.read(position), int(self.labels[position]))

    def __iter__(self) -> Iterator[LabelledImage]:
        return (self[position] for position in range(len(self)))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r} ({self.split}): {len(self)} images of {self.classes} classes>"

    @abstractmethod
    def read(self, position: int) -> Picture:
        """The pixels (H,W,3) of an image, uint8."""

    @abstractmethod
    def size(self, position: int) -> tuple[int, int]:
        """(H, W) of an image, without decoding it."""

    @abstractmethod
    def digest(self, position: int) -> str:
        """Text that changes when the content of an image does."""

    @property
    def classes(self) -> int:
        """How many."""
        return len(self.class_names)

    @property
    def prompts(self) -> list[str]:
        """One text for each class."""
        return written(self.template, self.class_names, refine=self.refine)

    def with_template(self, template: str) -> "ImageSet":
        """The same images under another prompt.

        Args:
            template: with {} for the class name.

        Raises:
            UsageError: it has no {}.
        """
        written(template, self.class_names, refine=self.refine)
        other = copy(self)
        other.template = template
        vars(other).pop("fingerprint", None)
        return other

    @cached_property
    def common_size(self) -> tuple[int, int] | None:
        """(H, W) if all images have the same, else None."""
        first = self.size(0)
        return first if all(self.size(position) == first for position in range(1, len(self))) else None

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of ids, labels, contents and prompts; the same images have it however they were selected."""
        lines = (f"{name}\t{self.labels[at]}\t{self.digest(at)}\n" for at, name in enumerate(self.ids))
        return sha256("".join([*lines, *(f"{text}\n" for text in self.prompts)]).encode()).hexdigest()

    def sample(self, count: int, seed: int = 0) -> "ImageSet":
        """Some of the images, as evenly over the classes as they allow; the same seed always gives the same ones.

        Args:
            count: how many, 1 or more; all if there are fewer.
            seed: 0 or more.

        Raises:
            UsageError: count below 1.
        """
        if count < 1:
            raise UsageError(f"a sample of {count} images is empty; ask for 1 or more")
        if count >= len(self):
            return self
        rng = np.random.default_rng((seed, len(self)))
        shuffled = rng.permutation(len(self))
        # In rounds: the first image of every class, then the second; the order of the classes is drawn too.
        turn = np.empty(len(self), np.int64)
        for label in range(self.classes):
            members = shuffled[self.labels[shuffled] == label]
            turn[members] = np.arange(len(members))
        chosen = shuffled[np.argsort(turn[shuffled], kind="stable")][:count]
        return Selection(self, np.sort(chosen))

    def select(self, positions: Sequence[int] | NDArray[np.integer]) -> "ImageSet":
        """The images at some positions, in that order, with all classes."""
        return Selection(self, positions)


class Selection(ImageSet):
    """Some images of a set, under all of its classes.

    Args:
        whole: the set.
        positions: of the images.
    """

    def __init__(self, whole: ImageSet, positions: Sequence[int] | NDArray[np.integer]) -> None:
        self._whole = whole
        self._positions = [int(position) for position in positions]
        super().__init__(
            whole.name,
            split=whole.split,
            ids=[whole.ids[position] for position in self._positions],
            labels=whole.labels[self._positions],
            class_names=whole.class_names,
            template=whole.template,
            refine=whole.refine,
            warnings=whole.warnings,
        )

    def read(self, position: int) -> Picture:
        """The pixels, read by the set that owns them."""
        return self._whole.read(self._positions[position])

    def size(self, position: int) -> tuple[int, int]:
        """(H, W) of an image."""
        return self._whole.size(self._positions[position])

    def digest(self, position: int) -> str:
        """The digest that the owning set gives."""
        return self._whole.digest(self._positions[position])

    @cached_property
    def common_size(self) -> tuple[int, int] | None:
        """As of the whole set, so that a sample is treated like all of it."""
        return self._whole.common_size


class ArraySet(ImageSet):
    """Labelled images of one size, in memory.

    Args:
        name: how tables call the set.
        images: (N,H,W,3) uint8, RGB order.
        options: see `ImageSet`; `ids` are the positions where none are given.

    Raises:
        DataError: not one RGB image for each label.
    """

    def __init__(
        self,
        name: str,
        images: Picture,
        labels: Sequence[int] | NDArray[np.integer],
        class_names: Sequence[str],
        *,
        split: str = "test",
        ids: Sequence[str] | None = None,
        template: str = GENERIC,
        refine: bool = True,
    ) -> None:
        if images.ndim != 4 or images.shape[3] != 3 or images.dtype != np.uint8 or len(images) != len(labels):
            raise DataError(
                f"{name} has images {images.dtype} {images.shape} and {len(labels)} labels; "
                "expected uint8 (N, H, W, 3) and one label for each"
            )
        self.images = images
        names = [f"{position:05d}" for position in range(len(images))] if ids is None else ids
        super().__init__(
            name, split=split, ids=names, labels=labels, class_names=class_names, template=template, refine=refine
        )

    def read(self, position: int) -> Picture:
        """The pixels of an image."""
        image: Picture = self.images[position]
        return image

    def size(self, position: int) -> tuple[int, int]:
        """(H, W) of all images."""
        return self.images.shape[1], self.images.shape[2]

    def digest(self, position: int) -> str:
        """SHA-256 of the pixels."""
        return sha256(self.images[position].tobytes()).hexdigest()

    @cached_property
    def common_size(self) -> tuple[int, int] | None:
        """(H, W) of all images."""
        return self.size(0)


def _check(data: ImageSet) -> None:
    if not data.ids:
        raise DataError(f"{data.name} ({data.split}) has no images; check the folder and the split")
    if len(data.labels) != len(data.ids):
        raise DataError(f"{data.name} has {len(data.ids)} images and {len(data.labels)} labels; expected one for each")
    lowest, highest = int(data.labels.min()), int(data.labels.max())
    if lowest < 0 or highest >= data.classes:
        wrong = lowest if lowest < 0 else highest
        raise DataError(
            f"{data.name} has a label {wrong}, but {data.classes} class names (labels 0 to {data.classes - 1}); "
            "the class list and the data disagree"
        )
    written(data.template, data.class_names, refine=data.refine)
