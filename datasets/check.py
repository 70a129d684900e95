"""What is odd about a data set: damage, empty masks, grey masks, flat or inverted depth, counts that do not fit."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Literal

import numpy as np
from natsort import natsorted

from rgbdsod.datasets.dataset import Dataset
from rgbdsod.datasets.depth import Near
from rgbdsod.datasets.folder import Folder
from rgbdsod.datasets.known import KnownSet, find_known
from rgbdsod.datasets.sample import Flags, Sample
from rgbdsod.errors import DataError

Level = Literal["error", "warning", "note"]

_INVERTED_BELOW = 0.3
_GREY = (16, 239)
_SHOWN = 5
_LOOKED_AT = 200


@dataclass(frozen=True)
class Finding:
    """Something a user should know.

    Attributes:
        level: "error": an image cannot be used; "warning": numbers may mislead; "note": good to know.
        text: one sentence.
    """

    level: Level
    text: str


@dataclass
class Survey:
    """What samples have in common that is worth a warning; fed one sample at a time.

    Args:
        name: how the data set is called in messages.
        near: how its depth files were read.
        expected: whether salient objects are "nearer" or "farther" than their surroundings, or "either".
    """

    name: str
    near: Near = "bright"
    expected: str = "nearer"
    seen: int = 0
    nearer: list[bool] = field(default_factory=list)
    flat: list[str] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)
    full: list[str] = field(default_factory=list)
    grey: Counter[str] = field(default_factory=Counter)

    def add(self, sample: Sample) -> None:
        """Look at one sample."""
        self.seen += 1
        flat = bool(np.ptp(sample.depth) == 0)
        nearer = None if flat else is_nearer(sample)
        if flat:
            self.flat.append(sample.id)
        if nearer is not None:
            self.nearer.append(nearer)
        if sample.mask is None:
            return
        foreground = sample.mask > 128
        if not foreground.any():
            self.empty.append(sample.id)
        if foreground.all():
            self.full.append(sample.id)
        between = int(((sample.mask >= _GREY[0]) & (sample.mask <= _GREY[1])).sum())
        if between:
            self.grey[sample.id] = between

    def findings(self) -> Iterator[Finding]:
        """What the samples seen so far add up to."""
        for name in self.empty:
            yield Finding(
                "warning",
                f"id {name}: mask has no foreground; F and S are undefined, counted as 0 (--empty skip leaves it out)",
            )
        if self.full:
            yield Finding("warning", f"masks that are foreground all over: {_some(self.full)}")
        if self.grey:
            worst, _ = self.grey.most_common(1)[0]
            yield Finding(
                "warning",
                f"{len(self.grey)} of {self.seen} masks in {self.name} are not binary: {self.grey.total()} pixels are "
                f"between {_GREY[0]} and {_GREY[1]} (most in {worst}); above 128 counts as salient",
            )
        if self.flat:
            yield Finding("warning", f"depth is constant, so it was set to 0.5: {_some(self.flat)}")
        if self.inverted:
            yield Finding("warning", self._inverted_text())

    @property
    def inverted(self) -> bool:
        """Whether the depth convention looks wrong."""
        if not self.nearer or self.expected == "either":
            return False
        as_expected = sum(self.nearer) if self.expected == "nearer" else len(self.nearer) - sum(self.nearer)
        return as_expected < _INVERTED_BELOW * len(self.nearer)

    def _inverted_text(self) -> str:
        cure = "pass --depth-invert if" if self.near == "bright" else "read them without --depth-invert if not"
        return (
            f"depth looks inverted in {self.name}: with near = {self.near} the object is nearer than its surroundings "
            f"in {sum(self.nearer)} of {len(self.nearer)} images; {cure} near is dark in these files"
        )


def is_nearer(sample: Sample) -> bool | None:
    """Whether the salient object is nearer than its surroundings; without a mask, the centre than the border.

    None where that cannot be told: no object, nothing else, or no measured depth in one of the two.
    """
    inside = _centre(sample.size) if sample.mask is None else sample.mask > 128
    object_depth, other_depth = sample.depth[inside & sample.valid], sample.depth[~inside & sample.valid]
    if not object_depth.size or not other_depth.size:
        return None
    return bool(object_depth.mean() > other_depth.mean())


def _centre(size: tuple[int, int]) -> Flags:
    """The middle ninth of an image."""
    inside = np.zeros(size, bool)
    inside[size[0] // 3 : size[0] - size[0] // 3, size[1] // 3 : size[1] - size[1] // 3] = True
    return inside


def look_over(folder: Folder) -> list[str]:
    """Warnings about a folder, before anything is done with it.

    All headers are read; pixels of up to 200 samples, evenly spaced.

    Raises:
        DataError: a file is damaged, or the sizes of a sample differ.
    """
    for position in range(len(folder)):
        folder.check_sizes(position)
    found = _new_survey(folder)
    for position in np.unique(np.linspace(0, len(folder) - 1, min(len(folder), _LOOKED_AT)).round().astype(int)):
        found.add(folder.read(int(position)))
    return [finding.text for finding in (*_format_findings(folder), *found.findings())]


def check_folder(data: Dataset | str | Path) -> list[Finding]:
    """Look at every sample and report all that is wrong or odd, instead of stopping at the first.

    Args:
        data: a loaded data set, or what `load_dataset` takes.
    """
    # The loader itself uses this module.
    from rgbdsod.datasets.load import load_dataset

    dataset = data if isinstance(data, Dataset) else load_dataset(data, masks="optional", intersect=True, check=False)
    found, damage = _new_survey(dataset), []
    for position in range(len(dataset)):
        try:
            found.add(dataset[position])
        except DataError as error:
            damage.append(Finding("error", str(error)))
    rest = [*found.findings(), *_format_findings(dataset), *_stem_findings(dataset), *_known_findings(dataset)]
    return damage + rest


def _new_survey(dataset: Dataset) -> Survey:
    if isinstance(dataset, Folder):
        return Survey(str(dataset.layout.path), dataset.depth_convention.near, dataset.settings.salient)
    return Survey(dataset.name, expected="either")


def _format_findings(dataset: Dataset) -> Iterator[Finding]:
    if not isinstance(dataset, Folder):
        return
    lossy = [entry.id for entry in dataset.entries if entry.depth.suffix.lower() in (".jpg", ".jpeg")]
    if lossy:
        yield Finding(
            "warning",
            f"depth files in {dataset.layout.path} are JPEG ({len(lossy)} of {len(dataset)}): compression changed "
            "their values, above all at object borders",
        )
    if dataset.layout.strangers:
        names = [path.name for path in dataset.layout.strangers]
        yield Finding("warning", f"ignored in {dataset.layout.path}, as their kind is not known: {_some(names)}")


def _stem_findings(dataset: Dataset) -> Iterator[Finding]:
    """Ids that differ only in case, spaces, dashes or leading zeros are often one image twice."""

    def plain(name: str) -> str:
        return "".join(letter for letter in name.casefold() if letter.isalnum()).lstrip("0")

    for _, alike in groupby(sorted(dataset.ids, key=plain), key=plain):
        names = natsorted(sorted(alike))
        if len(names) > 1:
            yield Finding("warning", f"ids that are nearly the same, perhaps one image twice: {_some(names)}")


def _known_findings(dataset: Dataset) -> Iterator[Finding]:
    """Compare with the catalogue, if the folder's name is in it."""
    known = _known_row(dataset)
    if known is None or known.built_in:
        return
    count = len(dataset)
    fitting = [name for name, images in known.splits.items() if images == count]
    if fitting:
        yield Finding("note", f"{count} images, as in {known.name} {' or '.join(fitting)}")
    else:
        counts = ", ".join(f"{name} {images}" for name, images in known.splits.items())
        yield Finding("warning", f"{count} images, but {known.name} has: {counts}")
    yield from _size_findings(dataset, known)


def _known_row(dataset: Dataset) -> KnownSet | None:
    names = [dataset.name]
    if isinstance(dataset, Folder):
        path = dataset.layout.path.resolve()
        names += [path.name, path.parent.name]
    return next((row for name in names if (row := find_known(name)) is not None), None)


def _size_findings(dataset: Dataset, known: KnownSet) -> Iterator[Finding]:
    if known.widths is None or known.heights is None:
        return
    odd = []
    for position, name in enumerate(dataset.ids):
        try:
            height, width = dataset.size(position)
        except DataError:
            continue  # reported as damaged already
        if not (known.widths[0] <= width <= known.widths[1] and known.heights[0] <= height <= known.heights[1]):
            odd.append(f"{name} ({width}x{height})")
    if odd:
        yield Finding(
            "warning", f"{len(odd)} images have a size that {known.name} ({known.sizes}) has not: {_some(odd)}"
        )


def _some(names: list[str]) -> str:
    """The first few names."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
