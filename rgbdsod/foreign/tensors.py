"""Tensors of others: safetensors files, which hold numbers and text, and nothing that could run."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rgbdsod.foreign.files import check_regular, reason

# Newer types can be stored, but hardly computed with.
_NUMBERS = (torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.bool,
            torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)  # fmt: skip


def read_tensors(path: str | Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """All tensors of a safetensors file by name, and the text in its header.

    Raises:
        OSError: it cannot be opened.
        ValueError: it is damaged, or has numbers that torch does not know.
    """
    with _opened(path) as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # no mapping
        metadata = file.metadata() or {}
    odd = [value.dtype for value in tensors.values() if value.dtype not in _NUMBERS]
    if odd:
        raise ValueError(f"it has numbers of type {odd[0]}")
    return tensors, metadata


def read_header(path: str | Path) -> dict[str, str]:
    """The text in the header of a safetensors file; errors as of `read_tensors`."""
    with _opened(path) as file:
        return file.metadata() or {}


@contextmanager
def _opened(path: str | Path) -> Iterator[Any]:
    from safetensors import safe_open

    check_regular(Path(path))
    if not Path(path).stat().st_size:
        raise ValueError("it is empty")  # which cannot be mapped
    try:
        with safe_open(str(path), "pt") as file:
            yield file
    except OSError:
        raise
    except Exception as error:  # the library's own, or torch's for a type or shape that it does not know
        raise ValueError(reason(error)) from error
