"""A reader of files from elsewhere, and the hostile contents for each kind of file."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from fuzz_files import ANYTHING, ARRAYS, JSON, TOML, archives, damaged, trees
from fuzz_images import pictures
from fuzz_weights import pickles, tensor_files

Corpus = Mapping[str, bytes]


class Reader(NamedTuple):
    """A reader.

    Args:
        name: for messages.
        prepare: makes a valid set of files in an empty folder; returns the one that is replaced.
        read: reads the set; is given the replaced file.
        corpus: hostile contents by name, from a valid content and the path of a canary.
    """

    name: str
    prepare: Callable[[Path], Path]
    read: Callable[[Path], object]
    corpus: Callable[[bytes, Path], Corpus]


def documents(valid: bytes, canary: Path) -> Corpus:
    return JSON | trees(json.loads(valid)) | damaged(valid, count=8)


def tables(valid: bytes, canary: Path) -> Corpus:
    return TOML | damaged(valid)


def images(valid: bytes, canary: Path) -> Corpus:
    return pictures()


def arrays(valid: bytes, canary: Path) -> Corpus:
    return ARRAYS | damaged(valid)


def weights(valid: bytes, canary: Path) -> Corpus:
    return pickles(canary)


def plain(valid: bytes, canary: Path) -> Corpus:
    return damaged(valid) | {f"line {line!r:.40}": line.encode() + b"\n" for line in _LINES}


_LINES = (
    "../../../etc/passwd",
    "/etc/passwd 1 1 1",
    "a",
    "a b c d",
    "a 1",
    "1 a",
    "\0",
    "a_1 -1 1 1",
    "a_1 0 1 1",
    f"a_1 {10**20} 1 1",
    f"a_1 {'9' * 5000} 1 1",
    "a_1 nan 1 1",
    "\x1b[31m<script>",
    "x" * 5000 + ".jpg",
    "RGB/1.jpg depth/1.png GT/1.png",
    "../x.jpg ../y.png ../z.png",
    "/etc/x.jpg /etc/y.png",
    "a.jpg" * 10_000,
)


def packed(first: str) -> Callable[[bytes, Path], Corpus]:
    def corpus(valid: bytes, canary: Path) -> Corpus:
        import io
        import zipfile

        with zipfile.ZipFile(io.BytesIO(valid)) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        return archives(members, first)

    return corpus


def tensors(*metadata: str) -> Callable[[bytes, Path], Corpus]:
    def corpus(valid: bytes, canary: Path) -> Corpus:
        from safetensors import safe_open

        path = canary.with_name("valid.safetensors")
        path.write_bytes(valid)
        with safe_open(path, "pt") as file:
            own = file.metadata() or {}
        return tensor_files({name: own.get(name, "") for name in metadata} | own) | damaged(valid)

    return corpus


def written(name: str, content: bytes) -> Callable[[Path], Path]:
    def prepare(folder: Path) -> Path:
        path = folder / name
        path.write_bytes(content)
        return path

    return prepare


def fields(valid: bytes, canary: Path) -> Corpus:
    """A TOML file with one value replaced at a time."""
    odd = (
        "1",
        "-1",
        "true",
        '""',
        "[]",
        "{}",
        "[[]]",
        "nan",
        "inf",
        f"{'9' * 4000}",
        "1979-05-27",
        '"\\u001b[31m"',
        '"../../../etc/passwd"',
        '"<script>alert(1)</script>"',
        '"\\u0000"',
        f'"{"x" * 5000}"',
        '["a", 1]',
        "1e308",
        '"pgd-99999999999999999999"',
        '"scenes:99999999999"',
        '"FILE.py:build"',
        '"1/0"',
        '"9"',
        "[nan]",
    )
    lines = valid.decode().splitlines()
    found = {}
    for number, line in enumerate(lines):
        key = line.partition("=")[0]
        if "=" in line:
            for value in odd:
                changed = [*lines[:number], f"{key}= {value}", *lines[number + 1 :]]
                found[f"{key}= {value:.24}"] = "\n".join(changed).encode()
            found[f"without {key}"] = "\n".join(lines[:number] + lines[number + 1 :]).encode()
    return TOML | damaged(valid) | found


def contents(reader: Reader, valid: bytes, canary: Path) -> Corpus:
    """All hostile contents for a reader."""
    return {**ANYTHING, **reader.corpus(valid, canary)}
