"""Tiny RGB-D folders on disk."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

SIZE = (12, 16)


def rgb_array(seed: int = 0, size=SIZE) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


def mask_array(size=SIZE) -> np.ndarray:
    mask = np.zeros(size, np.uint8)
    mask[size[0] // 4 : -size[0] // 4, size[1] // 4 : -size[1] // 4] = 255
    return mask


def depth_array(size=SIZE, dtype=np.uint8) -> np.ndarray:
    """Near = bright: the object of `mask_array` stands before a ramp; no value is 0."""
    ramp = np.linspace(20, 90, size[1])[None].repeat(size[0], 0)
    depth = np.where(mask_array(size) > 0, 200, ramp).round()
    return (depth * (257 if dtype == np.uint16 else 1)).astype(dtype)


def save(path: Path, array: np.ndarray, **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npy":
        np.save(path, array)
    else:
        Image.fromarray(array).save(path, **options)
    return path


def make_set(
    root: Path,
    ids: Iterable[str] = ("1", "2", "10"),
    *,
    rgb: str = "RGB/{}.jpg",
    depth: str = "depth/{}.png",
    mask: str | None = "GT/{}.png",
    dtype=np.uint8,
    size=SIZE,
) -> Path:
    """Write a set; the arguments say where the files of an id lie."""
    for number, name in enumerate(ids):
        save(root / rgb.format(name), rgb_array(number, size))
        save(root / depth.format(name), depth_array(size, dtype))
        if mask is not None:
            save(root / mask.format(name), mask_array(size))
    return root
