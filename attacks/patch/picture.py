"""Ready-made patches: any picture as a patch, its transparency as the outline."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from rgbdsod.errors import DataError
from rgbdsod.foreign import pictures

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".webp")


def is_picture(path: Path) -> bool:
    """Whether a path names a picture file."""
    return path.suffix.lower() in ENDINGS


def pictures_in(folder: Path) -> list[str]:
    """Names of the pictures in a folder."""
    return sorted(one.name for one in folder.iterdir() if one.is_file() and is_picture(one))


def read_picture(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """A picture as a patch on RGB: its tensors, and what is known of it and was assumed.

    Args:
        path: of an 8-bit picture: RGBA, RGB or grey.

    Raises:
        DataError: it cannot be read, has more than 8 bits, or is wholly transparent.
    """
    try:
        codes = pictures.read_picture(path)
    except OSError as error:
        raise DataError(f"cannot read {path}: {(error.strerror or str(error)).lower()}") from error
    if codes is None or codes.dtype != np.uint8:
        found = "no picture" if codes is None else f"{codes.dtype} values"
        raise DataError(f"{path} holds {found}; a patch is an 8-bit picture, RGBA or RGB")
    clear = codes.ndim == 3 and codes.shape[2] == 4
    colours = cv2.cvtColor(codes, cv2.COLOR_GRAY2RGB if codes.ndim == 2 else cv2.COLOR_BGRA2RGB if clear
                           else cv2.COLOR_BGR2RGB)  # fmt: skip
    height, width = codes.shape[:2]
    alpha = codes[:, :, 3] if clear else np.full((height, width), 255, np.uint8)
    if not (alpha >= 128).any():
        raise DataError(f"{path} is transparent everywhere; a patch shows something")
    assumed = [
        f"{path.name} says nothing of how it was made: taken as a patch on RGB, its size, place and goal by the flags",
        "its transparency is its outline" if clear else "it has no transparency, so all of it is the patch",
    ]
    facts = {"attack": "imported", "file": path.name, "shape": f"{width}:{height}", "assumed": assumed}
    tensors = {
        "alpha": torch.from_numpy(alpha)[None] / 255,
        "content": torch.from_numpy(colours).permute(2, 0, 1) / 255,
    }
    return tensors, {"modality": "rgb", "depth_mode": "none", "plane": None, "facts": facts}
