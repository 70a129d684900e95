"""A look at all images before any work starts: each can be read, has a mask, and the mask shows something."""

from concurrent.futures import ThreadPoolExecutor
from typing import Literal, get_args

from rgbdsod.datasets import Dataset
from rgbdsod.errors import DataError, UsageError
from rgbdsod.run.notes import LOGGER

Empty = Literal["count", "skip"]

_NAMED = 5  # images that are named before the rest is only counted
_THREADS = 4


def check_images(data: Dataset, empty: Empty = "count") -> Dataset:
    """Read every image once.

    Args:
        data: the images.
        empty: what to do with masks that have no foreground.

    Returns:
        The images to work on: all, or those with foreground.

    Raises:
        DataError: an image cannot be read or has no mask, or no image is left.
    """
    if empty not in get_args(Empty):
        raise UsageError(f'--empty "{empty}": expected count or skip')
    with ThreadPoolExecutor(_THREADS) as pool:
        filled = list(pool.map(lambda index: _has_foreground(data, index), range(len(data))))
    without = [name for name, shows in zip(data.ids, filled, strict=True) if not shows]
    if not without:
        return data
    if empty == "skip":
        if len(without) == len(data):
            raise DataError(f"no mask of {data.name} has foreground, so --empty skip leaves no image")
        return data.select(ids=[name for name in data.ids if name not in set(without)])
    texts = [
        f"id {name}: mask has no foreground; F and S are undefined, counted as 0 (--empty skip leaves it out)"
        for name in without
    ]
    unsaid = [text for text in texts if text not in data.warnings]
    for text in unsaid[:_NAMED]:
        LOGGER.warning(text)
    if len(unsaid) > _NAMED:
        LOGGER.warning("%d more masks have no foreground", len(unsaid) - _NAMED)
    return data


def _has_foreground(data: Dataset, index: int) -> bool:
    sample = data[index]
    if sample.mask is None:
        raise DataError(f"id {sample.id} has no mask in {data.name}; metrics need one for every image")
    return bool((sample.mask > 128).any())
