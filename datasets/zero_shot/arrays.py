"""Sets whose images lie together in a few files."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rgbdsod.datasets.sample import Picture
from rgbdsod.datasets.zero_shot.batches import read_batch
from rgbdsod.datasets.zero_shot.known import ZeroShotSet
from rgbdsod.datasets.zero_shot.listing import Listing, lines_of, require
from rgbdsod.errors import DataError
from rgbdsod.foreign.arrays import UNPACKED
from rgbdsod.foreign.arrays import read_npz as read_arrays
from rgbdsod.foreign.files import UnfitError, expecting, plain, reason

_PLANES = 3 * 32 * 32


def read_cifar(base: Path, row: ZeroShotSet, split: str) -> Listing:
    """CIFAR-10 or CIFAR-100, in the Python or the binary version."""
    fine = row.name == "cifar100"
    files = _cifar_files(base, split, fine)
    parts = [_binary(file, fine) if file.suffix == ".bin" else _pickled(file, fine) for file in files]
    rows = np.concatenate([pixels for pixels, _ in parts])
    images = np.ascontiguousarray(rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
    return Listing([label for _, labels in parts for label in labels], row.names, images=images)


def read_stl10(base: Path, row: ZeroShotSet, split: str) -> Listing:
    """`test_X.bin`: images of 3 x 96 x 96 bytes, each plane column by column; `test_y.bin`: classes from 1 on."""
    require(base / f"{split}_X.bin", base / f"{split}_y.bin")
    raw = np.fromfile(base / f"{split}_X.bin", np.uint8)
    labels = np.fromfile(base / f"{split}_y.bin", np.uint8).astype(np.int64) - 1
    if raw.size != labels.size * 3 * 96 * 96:
        raise DataError(
            f"{base / f'{split}_X.bin'} is cut short: {raw.size} bytes for {labels.size} labels; copy it again"
        )
    names = lines_of(base / "class_names.txt") if (base / "class_names.txt").is_file() else list(row.names)
    images = np.ascontiguousarray(raw.reshape(-1, 3, 96, 96).transpose(0, 3, 2, 1))
    return Listing(labels.tolist(), names, images=images)


def read_pcam(base: Path, row: ZeroShotSet, split: str) -> Listing:
    """`camelyonpatch_level_2_split_test_x.h5` and `..._y.h5`; needs h5py."""
    part = "valid" if split == "val" else split
    paths = [base / f"camelyonpatch_level_2_split_{part}_{end}.h5" for end in ("x", "y")]
    require(*paths)
    images, labels = (_hdf5(path, path.stem[-1]) for path in paths)
    return Listing([int(label) for label in labels.ravel()], row.names, images=images)


def read_npz(path: Path, split: str) -> Listing:
    """One .npz with `x_SPLIT` (N,H,W,3) uint8, `y_SPLIT` and `class_names`.

    Raises:
        DataError: an array is missing, or the images are not RGB.
    """
    keys = (f"x_{split}", f"y_{split}", "class_names")
    try:
        content = read_arrays(path, keys)
    except UnfitError as error:
        raise DataError(f"{path} {error}") from error
    except (ValueError, OSError) as error:
        raise DataError(f"{path} is damaged or holds no plain arrays ({reason(error)}); copy it again") from error
    images, labels, names = (content.get(key) for key in keys)
    if images is None or labels is None or names is None:
        lacking = ", ".join(key for key in keys if content.get(key) is None)
        raise DataError(f"{path} has no {lacking}; it has {plain(', '.join(content))}")
    with expecting(str(path), "copy it again"):
        return Listing([int(label) for label in labels], [str(name) for name in names], images=_rgb(images, path))


def _cifar_files(base: Path, split: str, fine: bool) -> list[Path]:
    """The files of a split, in either version."""
    if fine:
        stems = [split]
    else:
        stems = ["test_batch"] if split == "test" else [f"data_batch_{number}" for number in range(1, 6)]
    found = [
        next((path for path in (base / stem, base / f"{stem}.bin") if path.is_file()), base / stem) for stem in stems
    ]
    require(*found)
    return found


def _binary(path: Path, fine: bool) -> tuple[NDArray[np.uint8], list[int]]:
    """Records of a class (after a coarse one in CIFAR-100) and three planes."""
    raw = np.fromfile(path, np.uint8)
    length = _PLANES + (2 if fine else 1)
    if raw.size == 0 or raw.size % length:
        raise DataError(f"{path} has {raw.size} bytes, which is no multiple of {length}; extract the archive again")
    records = raw.reshape(-1, length)
    return records[:, -_PLANES:], [int(label) for label in records[:, -_PLANES - 1]]


def _pickled(path: Path, fine: bool) -> tuple[NDArray[np.uint8], list[int]]:
    return read_batch(path, "fine_labels" if fine else "labels")


def _hdf5(path: Path, key: str) -> NDArray[Any]:
    try:
        import h5py
    except ImportError as error:
        raise DataError(f"{path.name} needs the package h5py; install it: pip install h5py") from error
    try:
        with h5py.File(path) as content:
            own = content[key] if isinstance(content.get(key, getlink=True), h5py.HardLink) else None
            # A file may also name other files to take the numbers from.
            if not isinstance(own, h5py.Dataset) or own.external or own.is_virtual or own.nbytes > UNPACKED:
                raise ValueError(f"{key} is no plain array of it")
            values: NDArray[Any] = own[:]
            return values
    except Exception as error:  # a damaged file raises nearly any kind
        raise DataError(f"{path} is damaged or no HDF5 file with {key}; copy it again") from error


def _rgb(images: NDArray[Any], path: Path) -> Picture:
    """(N,H,W,3) uint8: grey images are repeated, an alpha channel is dropped."""
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or (images.ndim == 4 and images.shape[3] not in (1, 3, 4)):
        raise DataError(f"{path} holds images {images.dtype} {images.shape}; expected uint8 (N, H, W, 3)")
    if images.ndim == 3:
        images = images[..., None]
    colours: Picture = np.repeat(images, 3, axis=3) if images.shape[3] == 1 else np.ascontiguousarray(images[..., :3])
    return colours
