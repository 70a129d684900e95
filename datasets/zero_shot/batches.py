"""Batches of the Python version of CIFAR, read without running the pickle that holds them."""

import pickletools
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rgbdsod.errors import DataError
from rgbdsod.foreign.files import read_bytes

_LARGEST = 1 << 30  # bytes; CIFAR-100 has 160 MB
_TEXT = ("BINSTRING", "SHORT_BINSTRING", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8")
_BYTES = ("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8")
_NUMBERS = ("BININT", "BININT1", "BININT2")


def read_batch(path: Path, key: str) -> tuple[NDArray[np.uint8], list[int]]:
    """Rows of pixels and their labels.

    A pickle is a program. It is not run here: its text is walked through, the longest string is the pixels, and the
    whole numbers between `key` and the next text are the labels.

    Args:
        path: such as `test_batch`.
        key: "labels" or "fine_labels".

    Returns:
        Pixels (N,3072) uint8, and N labels.

    Raises:
        DataError: there are no such things in the file.
    """
    pixels, labels, follows = b"", [], False
    try:
        for opcode, argument, _ in pickletools.genops(read_bytes(path, _LARGEST)):
            if isinstance(argument, str | bytes | bytearray) and opcode.name in _TEXT + _BYTES:
                content = argument.encode("latin-1", "replace") if isinstance(argument, str) else bytes(argument)
                follows = follows if len(content) > 64 else content == key.encode()
                pixels = max(pixels, content, key=len)
            elif follows and isinstance(argument, int) and opcode.name in _NUMBERS:
                labels.append(argument)
    except Exception as error:  # a damaged file raises nearly any kind
        raise DataError(f"{path} is cut short or no batch of CIFAR; extract the archive again") from error
    if not labels or len(pixels) != 3072 * len(labels):
        raise DataError(
            f"{path} has {len(labels)} {key} and {len(pixels)} bytes of pixels, expected 3072 for each; "
            "extract the archive again"
        )
    return np.frombuffer(pixels, np.uint8).reshape(-1, 3072), labels
