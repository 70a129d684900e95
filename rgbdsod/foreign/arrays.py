"""Arrays of others, .npy and .npz: nothing is unpickled, and no header makes more memory than the file has bytes."""

import math
import zipfile
import zlib
from collections.abc import Collection, Iterable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as numpy_format
from numpy.typing import NDArray

from rgbdsod.foreign.files import UnfitError, check_regular, megabytes, reason

_npy: Any = numpy_format  # whose functions have no types

UNPACKED = 8 << 30
"""Bytes of all arrays of an .npz."""


def read_npy(path: Path) -> NDArray[Any]:
    """The array of a .npy file, mapped: what is taken of it is read then.

    Raises:
        OSError: it cannot be opened.
        ValueError: it is damaged, or holds objects.
    """
    check_regular(path)
    try:
        found = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError:
        raise
    except Exception as error:  # a header may say anything
        raise ValueError(reason(error)) from error
    if not isinstance(found, np.ndarray):
        raise ValueError("it is an archive")  # of the file, not of an argument
    return found


def read_npz(
    source: Path | bytes, wanted: Collection[str] | None = None, most: int = UNPACKED
) -> dict[str, NDArray[Any] | None]:
    """The arrays of an .npz by name.

    Args:
        source: the file, or its content.
        wanted: names of those to read, the others are None; None: all.
        most: bytes of all arrays that are read.

    Raises:
        OSError: it cannot be opened.
        ValueError: it is damaged, unpacks to more, or holds objects.
    """
    if isinstance(source, Path):
        check_regular(source)
    try:
        with zipfile.ZipFile(BytesIO(source) if isinstance(source, bytes) else source) as archive:
            members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            read = {name for name in members if wanted is None or name in wanted}
            check_unpacked([members[name] for name in read], most)
            return {name: _member(archive, info) if name in read else None for name, info in members.items()}
    except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError, MemoryError) as error:
        raise ValueError(reason(error)) from error


def check_unpacked(members: Iterable[zipfile.ZipInfo], most: int) -> None:
    """Refuse an archive whose members are far larger unpacked.

    Raises:
        UnfitError: it is.
    """
    total = sum(info.file_size for info in members)
    if total > most:
        raise UnfitError(f"unpacks to {megabytes(total)}, and at most {megabytes(most)} are read; split it")


def member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """A member's content; never more than the archive says that it has."""
    with archive.open(info) as file:
        return file.read(info.file_size)


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> NDArray[Any]:
    content = member(archive, info)
    stream = BytesIO(content)
    try:
        version = _npy.read_magic(stream)
        header = _npy.read_array_header_1_0 if version == (1, 0) else _npy.read_array_header_2_0
        shape, _, dtype = header(stream)
        bad = dtype.hasobject or math.prod(shape) * dtype.itemsize != len(content) - stream.tell()
    except Exception as error:  # a header may say anything
        raise ValueError(f"{info.filename}: {reason(error)}") from error
    if bad:
        raise ValueError(f"{info.filename} is no plain array of the size that its header says")
    stream.seek(0)
    found: NDArray[Any] = _npy.read_array(stream, allow_pickle=False)
    return found
