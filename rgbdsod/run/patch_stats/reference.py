"""Photographs that patches are compared with: a folder of them, or a data set."""

from pathlib import Path

import torch
from torch import Tensor

from rgbdsod.attacks.patch.natural.bank import DEMO, read_photographs
from rgbdsod.datasets import load_dataset
from rgbdsod.errors import DataError, UsageError

MOST = 256
"""Photographs that are read, in a seeded order."""


def photographs_of(name: str, *, most: int = MOST, seed: int = 0) -> list[Tensor]:
    """Photographs (3,H,W) in [0, 1].

    Args:
        name: a folder of photographs; a data set, by name or folder; "demo": those that come with the package.
        most: how many are read.
        seed: of their order.

    Raises:
        UsageError: there is no such folder and no such data set. DataError: they cannot be read.
    """
    if name == DEMO:
        return read_photographs(name, most, seed)
    if Path(name).is_dir():
        try:
            return read_photographs(name, most, seed)
        except DataError as missing:
            return _of_data_set(name, most, seed, missing)
    return _of_data_set(name, most, seed)


def _of_data_set(name: str, most: int, seed: int, missing: DataError | None = None) -> list[Tensor]:
    """The colour pictures of a data set."""
    try:
        data = load_dataset(name)
    except (DataError, UsageError) as error:
        raise missing or UsageError(f"--reference {name}: {error}") from error
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(seed))[:most]
    return [torch.from_numpy(data[at].rgb.copy()).permute(2, 0, 1).float() / 255 for at in order.tolist()]
