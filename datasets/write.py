"""Files that are read back to exactly what was written."""

from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from rgbdsod.datasets.depth import COARSE, FINE
from rgbdsod.datasets.sample import Map, Picture
from rgbdsod.errors import UsageError


def write_rgb(path: str | Path, rgb: Picture) -> None:
    """Write (H,W,3) uint8, RGB order, as PNG; `read_rgb` gives it back."""
    _save(Path(path), Image.fromarray(np.ascontiguousarray(rgb)))


def write_map(path: str | Path, values: Picture) -> None:
    """Write a mask or a saliency map, (H,W) uint8, as PNG; `read_map` gives it back."""
    _save(Path(path), Image.fromarray(np.ascontiguousarray(values)))


def write_depth(path: str | Path, depth: Map, levels: int = FINE) -> None:
    """Write depth as PNG, near = bright, nothing stretched; `read_depth` gives the nearest values of the grid back.

    Args:
        path: of the file.
        depth: (H,W) in [0, 1], near = 1.
        levels: 255 for 8 bit, 65535 for 16 bit.

    Raises:
        UsageError: another number of levels, or values outside [0, 1].
    """
    if levels not in (COARSE, FINE):
        raise UsageError(f"depth files have {COARSE} or {FINE} levels above 0, not {levels}")
    if not (depth.min() >= 0 and depth.max() <= 1):
        raise UsageError(f"depth has values from {depth.min():g} to {depth.max():g}; pass depth in [0, 1]")
    steps = np.rint(np.asarray(depth, np.float64) * levels)
    _save(Path(path), Image.fromarray(steps.astype(np.uint8 if levels == COARSE else np.uint16)))


def _save(path: Path, image: Image.Image) -> None:
    """Write under a temporary name and rename, so that no file is ever half written."""
    buffer = BytesIO()
    image.save(buffer, format="PNG")
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(buffer.getvalue())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
