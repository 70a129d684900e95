"""A universal noise as a file: tensors and facts in safetensors, nothing that could run."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from rgbdsod.errors import DataError
from rgbdsod.foreign.documents import parse_json
from rgbdsod.foreign.files import plain, reason
from rgbdsod.foreign.tensors import read_tensors

SCHEMA = "rgbdsod.universal/1"


def write_noise(path: Path, noise: Mapping[str, Tensor], about: Mapping[str, Any]) -> None:
    """Write under a temporary name, then rename, so that no half-written file is ever found.

    Args:
        path: the file; its folder is made.
        noise: by input, (1, ...).
        about: in JSON's types.

    Raises:
        DataError: it cannot be written.
    """
    tensors = {name: value.detach().cpu().contiguous() for name, value in noise.items()}
    content = save(tensors, {"schema": SCHEMA, "about": json.dumps(about, sort_keys=True, allow_nan=False)})
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.write_bytes(content)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise DataError(f"cannot write {path}: {(error.strerror or str(error)).lower()}") from error


def read_noise(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Noise by input, and what was written about it.

    Raises:
        DataError: the file is missing, damaged, or something else.
    """
    try:
        tensors, about = read_tensors(path)
    except OSError as error:
        raise DataError(f"cannot read {path}: {(error.strerror or 'no such file').lower()}") from error
    except ValueError as error:
        raise DataError(f"{path} is damaged, or no safetensors file ({reason(error)})") from error
    if about.get("schema") != SCHEMA:
        found = about.get("schema") or f"tensors {', '.join(sorted(tensors)[:3]) or 'none'}"
        raise DataError(f"{path} holds no universal noise (found: {plain(found)}); rgbdsod universal fit makes one")
    try:
        known: dict[str, Any] = parse_json(about["about"])
        complete = known["budgets"].keys() == tensors.keys() and {"sizing", "facts"} <= known.keys()
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise DataError(f"{path} does not say what its noise is ({reason(error)}); fit it again") from error
    if not complete or not all(map(_is_noise, tensors.values())):
        raise DataError(f"{path} holds an incomplete universal noise; fit it again")
    return tensors, known


def _is_noise(value: Tensor) -> bool:
    """Whether a tensor is (1, ...) of finite numbers."""
    one = value.ndim > 1 and len(value) == 1
    return one and value.is_floating_point() and bool(torch.isfinite(value).all())
