"""Hostile weights files: programs in pickles, archives that lie, tensors that do not fit."""

import collections
import io
import json
import os
import pickle
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fuzz_files import bomb, damaged, zipped


class Program:
    """Runs when a pickle of it is loaded: writes a file."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> Any:
        return os.system, (f"echo ran > '{self.canary}'",)


class Opens(Program):
    """Likewise, without a shell."""

    def __reduce__(self) -> Any:
        return open, (str(self.canary), "w")


class Evaluates(Program):
    """Likewise, by a function that many lists of allowed names forget."""

    def __reduce__(self) -> Any:
        return eval, (f"open({str(self.canary)!r}, 'w')",)


def torch_saved(content: Any, **options: Any) -> bytes:
    import torch

    buffer = io.BytesIO()
    torch.save(content, buffer, **options)
    return buffer.getvalue()


def state() -> dict[str, Any]:
    import torch

    generator = torch.Generator().manual_seed(0)
    return {"a.weight": torch.rand(4, 3, 1, 1, generator=generator), "a.bias": torch.rand(4, generator=generator)}


def pickles(canary: Path) -> Mapping[str, bytes]:
    """Pickled files, most of them with a program."""
    import torch

    found = {}
    for kind in (Program, Opens, Evaluates):
        program = kind(canary)
        for protocol in (0, 2, 4):
            found[f"pickle {protocol} of {kind.__name__}"] = pickle.dumps(program, protocol)
        holding = {"state_dict": state(), "extra": program}
        found[f"zip with {kind.__name__}"] = torch_saved(holding)
        found[f"tar with {kind.__name__}"] = torch_saved(holding, _use_new_zipfile_serialization=False)
        script = zipped({"m/data.pkl": pickle.dumps(program, 2), "m/constants.pkl": b"(t.", "m/version": b"3\n"})
        found[f"TorchScript with {kind.__name__}"] = script
    whole = torch_saved(state())
    found |= {
        "the module itself": torch_saved(torch.nn.Linear(2, 2)),
        "a list": torch_saved([1, 2]),
        "no tensors": torch_saved({"a": 1}),
        "names that are numbers": torch_saved({1: torch.zeros(2), (2, 3): torch.zeros(2)}),
        "names with control characters": torch_saved({"\x1b[31m\n<script>": torch.zeros(2)}),
        "a sparse tensor": torch_saved({"a.weight": torch.eye(3).to_sparse()}),
        "a quantised tensor": torch_saved({"a.weight": torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8)}),
        "a tensor on the meta device": torch_saved({"a.weight": torch.zeros(3, device="meta")}),
        "complex": torch_saved({"a.weight": torch.zeros(4, 3, 1, 1, dtype=torch.complex64)}),
        "not a number": torch_saved({"a.weight": torch.full((4, 3, 1, 1), float("nan")), "a.bias": torch.zeros(4)}),
        "a view of one number": torch_saved({"a.weight": torch.zeros(1).expand(1 << 20, 1 << 20)}),
        "an ordered dict in itself": torch_saved(_circle()),
        "recursion": b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b".",
        "memo bomb": b"\x80\x02" + b"(" + b"]" * 9 + b"r\xff\xff\xff\x7f" + b"t.",
        "huge string": b"\x80\x04\x8e" + struct.pack("<Q", 2**62) + b"a.",
        "zip bomb": bomb("archive/data.pkl"),
        "zip of nothing": zipped({}),
        "TorchScript of nothing": zipped({"m/constants.pkl": b"", "m/data.pkl": b""}),
        "TorchScript bomb": _script_bomb(),
    }
    return found | {f"zip {name}": content for name, content in damaged(whole).items()}


def _circle() -> Any:
    found: Any = collections.OrderedDict()
    found["model"] = found
    return found


def _script_bomb() -> bytes:
    """An archive that says it is TorchScript, and is large unpacked."""
    buffer = io.BytesIO(bomb("m/data.pkl"))
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr("m/constants.pkl", b"(t.")
    return buffer.getvalue()


def header(tensors: Any, data: bytes = b"", length: int | None = None) -> bytes:
    """A safetensors file whose header says what it likes."""
    head = tensors if isinstance(tensors, bytes) else json.dumps(tensors).encode()
    return struct.pack("<Q", len(head) if length is None else length) + head + data


def tensor_files(metadata: Mapping[str, str] | None = None) -> Mapping[str, bytes]:
    """Safetensors files."""
    import torch
    from safetensors.torch import save

    def one(**fields: Any) -> dict[str, Any]:
        return {"a": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]} | fields}

    zeros = bytes(16)
    valid = save(state(), dict(metadata) if metadata else None)
    found = {
        "length beyond the file": header(one(), zeros, 2**40),
        "length of 2^64": header(one(), zeros, 2**64 - 1),
        "no header": struct.pack("<Q", 0),
        "header that is a list": header([], zeros),
        "deep header": header(b"[" * 100_000, zeros),
        "offsets beyond the file": header(one(data_offsets=[0, 2**40], shape=[2**19, 2**19]), zeros),
        "offsets backwards": header(one(data_offsets=[16, 0]), zeros),
        "offsets that overlap": header(one() | {"b": one()["a"]}, zeros),
        "negative shape": header(one(shape=[-2, -2]), zeros),
        "shape of another size": header(one(shape=[2, 3]), zeros),
        "shape that overflows": header(one(shape=[2**33, 2**33, 0]), zeros),
        "shape of nothing": header(one(shape=[0, 2**62], data_offsets=[0, 0])),
        "many axes": header(one(shape=[1] * 5000 + [4]), zeros),
        "unknown type": header(one(dtype="F99"), zeros),
        "numbers of 4 bits": header(one(dtype="F4", shape=[32]), zeros),
        "numbers of 8 bits": header(one(dtype="F8_E4M3", shape=[16]), zeros),
        "numbers of 6 bits": header(one(dtype="F6_E2M3", data_offsets=[0, 12], shape=[16]), bytes(12)),
        "complex": header(one(dtype="C64", shape=[2]), zeros),
        "unsigned 64": header(one(dtype="U64", shape=[2]), zeros),
        "booleans of all bits": header(one(dtype="BOOL", shape=[16]), b"\xff" * 16),
        "not a number": header(one(), struct.pack("<4f", *[float("nan")] * 4)),
        "metadata of numbers": header({"__metadata__": {"about": 1}} | one(), zeros),
        "metadata that is a list": header({"__metadata__": []} | one(), zeros),
        "names with control characters": header({"\x1b[31m\n<script>": one()["a"]}, zeros),
        "no tensors": save({}, dict(metadata) if metadata else None),
        "other tensors": save({"x": torch.zeros(2)}, dict(metadata) if metadata else None),
        "a number": save({"alpha": torch.tensor(1.0)}, dict(metadata) if metadata else None),
    }
    for name in metadata or ():
        for text in (
            "",
            "null",
            "[]",
            "{}",
            "NaN",
            "[" * 100_000,
            '{"family": "perturbation"}',
            '{"settings": []}',
            "\x1b",
        ):
            found[f"metadata {name} = {text[:24]!r}"] = save(state(), {**(metadata or {}), name: text})
    return found | damaged(valid)
