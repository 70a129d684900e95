"""A patch as files: a picture to print, tensors to go on with, and what is known of them. Nothing that could run."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor

from rgbdsod.attacks.patch.picture import is_picture, pictures_in, read_picture
from rgbdsod.errors import DataError
from rgbdsod.foreign.documents import parse_json
from rgbdsod.foreign.files import plain, reason
from rgbdsod.foreign.tensors import read_tensors

SCHEMA = "rgbdsod.patch/1"
PICTURE, TENSORS, FACTS = "patch.png", "patch.safetensors", "patch.json"


def patch_files(tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> dict[str, bytes]:
    """A patch's three files by name.

    Args:
        tensors: alpha (1,h,w), and content (3,h,w) and relief (1,h,w) where there are such.
        about: in JSON's types.
    """
    stored = {name: value.detach().float().cpu().contiguous() for name, value in tensors.items()}
    text = json.dumps({"schema": SCHEMA, **about}, sort_keys=True, allow_nan=False, indent=1)
    return {
        PICTURE: _picture(stored),
        TENSORS: save(stored, {"about": text}),  # one entry: several would come in any order, and equal patches differ
        FACTS: (text + "\n").encode(),
    }


def write_patch(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files, each under a temporary name first, so that no half-written one is ever found.

    Args:
        folder: made where it is missing.
        files: contents by name.

    Raises:
        DataError: they cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            temporary = folder / f".{name}.{os.getpid()}.tmp"
            try:
                temporary.write_bytes(content)
                temporary.replace(folder / name)
            finally:
                temporary.unlink(missing_ok=True)
    except OSError as error:
        raise DataError(f"cannot write {folder}: {(error.strerror or str(error)).lower()}") from error


def read_patch(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """A patch's tensors, and what was written about it.

    Args:
        path: the folder, or a file in it; or any picture.

    Raises:
        DataError: it is missing, damaged, or something else.
    """
    path = tensors_file(path)
    if is_picture(path):
        return read_picture(path)
    try:
        tensors, known = read_tensors(path)
    except OSError as error:
        raise DataError(f"cannot read {path}: {(error.strerror or 'no such file').lower()}") from error
    except ValueError as error:
        raise DataError(f"{path} is damaged, or no safetensors file ({reason(error)})") from error
    try:
        about: dict[str, Any] = {**parse_json(known.get("about", "{}"))}
    except (TypeError, ValueError) as error:
        raise DataError(f"{path} does not say what its patch is ({reason(error)})") from error
    if about.get("schema") != SCHEMA:
        found = about.get("schema") or known.get("schema") or f"tensors {', '.join(sorted(tensors)[:3]) or 'none'}"
        raise DataError(f"{path} holds no patch (found: {plain(str(found))})")
    if not all(value.is_floating_point() and bool((value.abs() <= 1).all()) for value in tensors.values()):  # NaN fails
        raise DataError(f"{path} holds a patch with values outside [0, 1]; make it again")
    return tensors, about


def tensors_file(path: Path) -> Path:
    """The file that a patch's tensors are in: `patch.safetensors`, or a picture that came without one.

    Raises:
        DataError: a folder of pictures, of which one is to be chosen.
    """
    if path.is_dir():
        if not (path / TENSORS).is_file() and (names := pictures_in(path)):
            raise DataError(
                f"{path} holds {len(names)} pictures and no {TENSORS}; pass one of them, such as {names[0]}"
            )
        return path / TENSORS
    if path.name == FACTS or (path.name == PICTURE and path.with_name(TENSORS).is_file()):
        return path.with_name(TENSORS)
    return path


def _picture(tensors: Mapping[str, Tensor]) -> bytes:
    """Colours with their shape as RGBA; a patch of depth alone is grey, as bright as it is near."""
    alpha = tensors["alpha"]
    grey = tensors.get("relief", torch.full_like(alpha, 0.5))
    colour = tensors.get("content", grey.expand(3, -1, -1))
    codes = (torch.cat([colour, alpha]).clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    done, content = cv2.imencode(".png", cv2.cvtColor(np.ascontiguousarray(codes), cv2.COLOR_RGBA2BGRA))
    if not done:
        raise DataError(f"a patch of {codes.shape[1]}x{codes.shape[0]} cannot be written as PNG")
    return content.tobytes()
