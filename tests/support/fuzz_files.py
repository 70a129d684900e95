"""Hostile documents and arrays: what a careless or malicious file may hold, by kind."""

import io
import json
import zipfile
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

Corpus = Mapping[str, bytes]

DEEP = 100_000
"""Levels of nesting."""

ANYTHING: Corpus = {
    "empty": b"",
    "zeros": bytes(4096),
    "ones": b"\xff" * 4096,
    "noise": np.random.default_rng(0).bytes(4096),
    "web page": b"<!DOCTYPE html><html><body>404</body></html>",
    "text": b"hello",
    "control characters": b"\x1b]0;title\x07\x1b[31mred\x00\r\n" * 9,
    "byte order mark": b"\xef\xbb\xbf{}",
    "utf-16": '{"a": 1}'.encode("utf-16"),
    "long line": b"a" * (1 << 20),
    "many lines": b"a\n" * (1 << 16),
}

JSON: Corpus = {
    "null": b"null",
    "list": b"[]",
    "object": b"{}",
    "number": b"1",
    "deep list": b"[" * DEEP + b"]" * DEEP,
    "deep object": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "unfinished deep list": b"[" * DEEP,
    "huge integer": b"1" * 100_000,
    "not a number": b"NaN",
    "beyond floats": b"[1e999, -1e999, Infinity]",
    "lone surrogate": b'{"images": "\\ud800", "command": "\\ud800", "schema": "\\udfff"}',
    "twice the same key": b'{"a": 1, "a": []}',
}

TOML: Corpus = {
    "deep arrays": b"a = " + b"[" * DEEP + b"]" * DEEP,
    "deep tables": b"a = " + b"{a=" * DEEP + b"1" + b"}" * DEEP,
    "dotted key": b".".join([b"a"] * 30_000) + b" = 1",
    "dotted heading": b"[" + b".".join([b"a"] * 30_000) + b"]",
    "huge integer": b"images = " + b"1" * 100_000,
    "not a number": b"eps = nan\nimages = inf",
    "date": b"data = 1979-05-27T07:32:00Z\nname = 1979-05-27",
    "unknown key": b'["\\u001b[31m<script>"]\na = 1',
    "twice the same key": b"a = 1\na = 2",
}


def trees(valid: Any) -> Corpus:
    """A valid JSON document with one place at a time replaced by what does not belong there."""
    odd = [
        None,
        True,
        -1,
        10**30,
        1e999,
        float("nan"),
        "\x1b[31m<script>alert(1)</script>",
        "../../../etc/passwd",
        "\0",
        "x" * 5000,
        [],
        {},
        [[]],
        [None],
        {"": None},
    ]
    found = {}
    for number, place in enumerate(places(valid)):
        for turn in range(3):
            value = odd[(5 * turn + number) % len(odd)]
            found[f"{'/'.join(map(str, place))[:60]} = {value!r:.24}"] = json.dumps(put(valid, place, value)).encode()
        if place:
            found[f"without {'/'.join(map(str, place))[:60]}"] = json.dumps(put(valid, place, drop=True)).encode()
    return found


def places(tree: Any, before: tuple[Any, ...] = (), most: int = 2) -> list[tuple[Any, ...]]:
    """Where values stand in a document; of a list the first few."""
    own: list[tuple[Any, ...]] = [before]
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree[:most]) if isinstance(tree, list) else ()
    return own + [place for key, value in inner for place in places(value, (*before, key), most)]


def put(tree: Any, place: tuple[Any, ...], value: Any = None, *, drop: bool = False) -> Any:
    """A copy of a document with another value at a place, or without it."""
    if not place:
        return value
    key, *rest = place
    copy = tree.copy()
    if drop and not rest:
        del copy[key]
    else:
        copy[key] = put(tree[key], tuple(rest), value, drop=drop)
    return copy


def damaged(valid: bytes, seed: int = 0, count: int = 24) -> Corpus:
    """A valid file cut short, doubled, and with a few bytes changed."""
    rng = np.random.default_rng(seed)
    found = {f"cut at {share:.0%}": valid[: int(share * len(valid))] for share in (0.01, 0.1, 0.5, 0.9, 0.999)}
    found |= {"doubled": valid * 2, "byte added": valid + b"\0", "reversed": valid[::-1]}
    for turn in range(count):
        other = bytearray(valid)
        span = len(valid) if turn % 2 else min(128, len(valid))  # headers are where damage matters most
        for at in rng.integers(0, span, 1 + turn % 4):
            other[at] = rng.integers(256)
        found[f"damage {turn}"] = bytes(other)
    return found


def npy(shape: Any = (4, 4), dtype: str = "<f4", data: bytes = b"\0" * 64, version: int = 1) -> bytes:
    """A .npy file whose header says what it likes."""
    head = repr({"descr": dtype, "fortran_order": False, "shape": shape}).encode()
    head += b" " * (-(len(head) + 11) % 64) + b"\n"
    return b"\x93NUMPY" + bytes([version, 0]) + len(head).to_bytes(2, "little") + head + data


def array(values: Any) -> bytes:
    """An array as .npy, pickled where NumPy must."""
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=True)
    return buffer.getvalue()


ARRAYS: Corpus = {
    "huge shape": npy((10**6, 10**6)),
    "huge product": npy((2**40, 2**40)),
    "negative shape": npy((-1, 4)),
    "no shape": npy(()),
    "empty rows": npy((0, 4), data=b""),
    "empty columns": npy((4, 0), data=b""),
    "float shape": npy((4.5, 4)),
    "boolean shape": npy((True, 4)),
    "three axes": array(np.zeros((4, 4, 3), np.uint8)),
    "objects": array(np.array([[{}, 1]], object)),
    "text": array(np.array([["a", "b"]])),
    "complex": array(np.zeros((4, 4), complex)),
    "structured": array(np.zeros((4, 4), [("a", "u1"), ("b", "f4")])),
    "dates": array(np.zeros((4, 4), "datetime64[s]")),
    "void": npy((4, 4), "|V4"),
    "unknown type": npy((4, 4), "<q99"),
    "code for a type": npy((4, 4), "__import__('os').system('id')"),
    "unknown version": npy(version=9),
    "not a number": array(np.full((4, 4), np.nan, np.float32)),
    "infinite": array(np.full((4, 4), np.inf, np.float32)),
    "negative": array(np.full((4, 4), -1.0, np.float32)),
    "near the largest": array(np.array([[3e38, -3e38], [0, 1]], np.float32)),
    "beyond float32": array(np.array([[1e308, -1e308], [0, 1]])),
    "large integers": array(np.array([[2**63 - 1, -(2**63)], [0, 1]])),
    "unsigned 64": array(np.array([[2**64 - 1, 0], [0, 1]], np.uint64)),
    "half": array(np.array([[65504, 0], [0, 1]], np.float16)),
    "long double": array(np.zeros((4, 4), np.longdouble)),
    "big end first": array(np.zeros((4, 4), ">u2")),
}


def zipped(members: Mapping[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


@cache
def bomb(member: str, size: int = 1 << 26, head: bytes = b"") -> bytes:
    """A small archive with a member of zeros that is large unpacked."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive, archive.open(member, "w") as file:
        file.write(head)
        block = bytes(1 << 22)
        for _ in range(size // len(block)):
            file.write(block)
    return buffer.getvalue()


def archives(members: Mapping[str, bytes], first: str) -> Corpus:
    """Archives with the members of a valid one, of which one is hostile.

    Args:
        members: of a valid archive.
        first: the member that is replaced.
    """
    found = {f"{first}: {name}": zipped({**members, first: content}) for name, content in ARRAYS.items()}
    valid = zipped(members)
    encrypted = bytearray(valid)
    for start in (b"PK\x03\x04", b"PK\x01\x02"):
        at = encrypted.index(start)
        encrypted[at + (6 if start[2] == 3 else 8)] |= 1
    wrong = valid.replace(first.encode(), b"../" + first.encode()[3:])
    return (
        found
        | {
            "no members": zipped({}),
            "bomb": bomb(first, head=npy((1 << 13, 1 << 13), "|u1", b"")),
            "bomb that lies": bomb(first, head=npy((4, 4))),
            "encrypted": bytes(encrypted),
            "path that leads out": wrong,
            "lzma": zipped(members, zipfile.ZIP_LZMA),
        }
        | damaged(valid)
    )
