"""The images of a fine-tuning: the set, its held-out part, and seeded batches by number."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from rgbdsod.clip.space import AttackSpace, pixels
from rgbdsod.datasets.zero_shot.glyph_sets import glyph_set
from rgbdsod.datasets.zero_shot.known import ZERO_SHOT_SETS, Prompts
from rgbdsod.datasets.zero_shot.labelled import ImageSet
from rgbdsod.datasets.zero_shot.load import load_image_set
from rgbdsod.errors import UsageError

GLYPHS = 6000
"""Generated images to learn from, unless a limit says otherwise."""

_GLYPHS = "glyphs"


class TuningImages(TypedDict):
    """A batch as workers make it.

    Attributes:
        image: (B,3,H,W) in [0, 1].
        labels: int64 (B,).
        positions: of the images in their set, int64 (B,).
        ids: with the epoch, so that an image's random starts differ between epochs.
    """

    image: Tensor
    labels: Tensor
    positions: Tensor
    ids: list[str]


def open_tuning_set(
    data: str | Path,
    root: str | Path | None = None,
    *,
    split: str | None = None,
    limit: int | None = None,
    prompts: Prompts = "fixed",
    template: str | None = None,
) -> ImageSet:
    """A labelled set to learn from.

    Args:
        data: "glyphs:tuning" (or "glyphs"), a name of `ZERO_SHOT_SETS`, a folder of class folders, or an .npz.
        root: the folder of the archive that a name stands for.
        split: which part; None: the one for training where there is one.
        limit: so many images, as evenly over the classes as they allow.
        prompts, template: see `load_image_set`.

    Raises:
        UsageError: a zero-shot task of the glyphs, which tuning must not see; or see `load_image_set`.
        DataError: see `load_image_set`.
    """
    if limit is not None and limit < 1:
        raise UsageError(f"--limit {limit} leaves no image; pass 1 or more")
    name = str(data)
    if name.partition(":")[0] == _GLYPHS:
        if split not in (None, "train"):
            raise UsageError(f"{name} has no split {split}: its images are generated to learn from; leave --split out")
        return _glyphs(name, limit, template)
    found = load_image_set(data, root, split=split or _training_split(name), prompts=prompts, template=template)
    return found if limit is None else found.sample(limit)


def hold_out(data: ImageSet, share: float, seed: int) -> tuple[ImageSet, ImageSet | None]:
    """The part to learn from, and the part to validate on.

    Args:
        data: all images.
        share: of the images that are held out, evenly over the classes; 0 holds none out.
        seed: which ones.

    Raises:
        UsageError: a share outside [0, 1), or one that leaves either part empty.
    """
    if not 0 <= share < 1:
        raise UsageError(f"--val-share {share:g}: a share of the images from 0 to 1, without 1")
    if share == 0:
        return data, None
    count = round(share * len(data))
    if not 0 < count < len(data):
        raise UsageError(f"--val-share {share:g} of {len(data)} images is {count}; pass more images, or --val-share 0")
    held = data.sample(count, seed)
    names = set(held.ids)
    return data.select([position for position, name in enumerate(data.ids) if name not in names]), held


def batches(
    data: ImageSet, numbers: range, *, batch: int, seed: int, side: int, space: AttackSpace, workers: int = 0
) -> Iterator[TuningImages]:
    """Batches by number: each epoch has all images in an order of its own, and its last batch may be smaller.

    Args:
        data: the images.
        numbers: of the batches, counted from 0 over all epochs.
        batch: images in one.
        seed: of the orders.
        side: of the encoder.
        space: see `rgbdsod.clip.pixels`.
        workers: processes that read images; the batches are the same with any number.
    """
    loader: DataLoader[TuningImages] = DataLoader(
        _Batches(data, batch, seed, side, space),
        batch_size=None,
        sampler=numbers,
        num_workers=workers,
        prefetch_factor=4 if workers else None,
        pin_memory=torch.cuda.is_available(),
    )
    return iter(loader)


@dataclass
class _Batches(TorchDataset[TuningImages]):
    data: ImageSet
    batch: int
    seed: int
    side: int
    space: AttackSpace

    def __getitem__(self, number: int) -> TuningImages:
        epoch, place = divmod(number, -(-len(self.data) // self.batch))
        order = _order(self.seed, epoch, len(self.data))[place * self.batch : (place + 1) * self.batch]
        return {
            "image": pixels(self.data, order, side=self.side, space=self.space),
            "labels": torch.from_numpy(self.data.labels[order]),
            "positions": torch.from_numpy(order),
            "ids": [f"{epoch}/{self.data.ids[position]}" for position in order],
        }


@lru_cache(maxsize=2)
def _order(seed: int, epoch: int, count: int) -> NDArray[np.int64]:
    return np.random.default_rng((seed, epoch)).permutation(count)


def _glyphs(name: str, limit: int | None, template: str | None) -> ImageSet:
    """Generated images that no test and no pre-training has seen."""
    task = name.partition(":")[2] or "tuning"
    if task != "tuning":
        raise UsageError(f"{name} is a zero-shot task, which tuning must not see; pass --data glyphs:tuning")
    found = glyph_set(task, limit or GLYPHS, seed=0)
    return found if template is None else found.with_template(template)


def _training_split(name: str) -> str | None:
    """The part of a set that is for training, None where there are no parts."""
    if name in ZERO_SHOT_SETS:
        row = ZERO_SHOT_SETS[name]
        return "train" if "train" in row.splits else None
    path = Path(name)
    divided = path.suffix == ".npz" or (path / "train").is_dir() or len(list(path.glob("*.npz"))) == 1
    return "train" if divided else None
