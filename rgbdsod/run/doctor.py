"""Checks of an installation: each says what it found and, where it fails, what to do."""

import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rgbdsod.errors import RgbdsodError
from rgbdsod.models.table import MODELS
from rgbdsod.run.environment import cache_folder, describe_device, machine_memory

_LEAST_MEMORY = 2.0  # GB; the main job takes less than one
_LEAST_PYTHON = (3, 11)


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Args:
        name: what.
        status: "ok", "warning" (worth knowing) or "failed".
        text: what was found; with the cure where it failed.
    """

    name: str
    status: Literal["ok", "warning", "failed"]
    text: str


def examine() -> Iterator[Check]:
    """All checks, one after another; a check that raises has failed."""
    checks: dict[str, Callable[[], Check]] = {
        "python": _python,
        "torch": _torch,
        "device": _device,
        "memory": _memory,
        "runs folder": lambda: _writable("runs folder", Path.cwd()),
        "cache folder": lambda: _writable("cache folder", cache_folder()),
        "tables": _tables,
    }
    checks |= {f"weights {row.name}": _weights(row.name) for row in MODELS if row.asset and not row.canonical}
    checks |= {"demo data": _demo, "self-test": _self_test}
    for name, check in checks.items():
        yield _guarded(name, check)


def examine_data(folder: str) -> Iterator[Check]:
    """What is wrong or odd about a folder of images."""
    from rgbdsod.datasets import check_folder

    status: dict[str, Literal["ok", "warning", "failed"]] = {"error": "failed", "warning": "warning", "note": "ok"}
    try:
        findings = check_folder(folder)
    except RgbdsodError as error:
        yield Check("data", "failed", str(error))
        return
    for finding in findings:
        yield Check("data", status[finding.level], finding.text)
    if not findings:
        yield Check("data", "ok", f"{folder}: nothing odd")


def _guarded(name: str, check: Callable[[], Check]) -> Check:
    try:
        return check()
    except Exception as error:  # a broken installation may raise anything
        return Check(name, "failed", f"{type(error).__name__}: {error}")


def _python() -> Check:
    text = f"{platform.python_version()} on {platform.system()} ({sys.executable})"
    if sys.version_info < _LEAST_PYTHON:
        return Check("python", "failed", f"{text}; needs 3.11 or newer")
    return Check("python", "ok", text)


def _torch() -> Check:
    import torch
    import torchvision  # fails at import where it does not fit torch

    from rgbdsod.run.environment import versions

    own = versions()
    return Check("torch", "ok", f"torch {torch.__version__}, torchvision {torchvision.__version__}, timm {own['timm']}")


def _device() -> Check:
    import torch

    from rgbdsod.models import available_devices

    found = [describe_device(torch.device(name)) for name in available_devices()]
    return Check("device", "ok", "; ".join(f"{device['name']} ({device['description']})" for device in found))


def _memory() -> Check:
    memory = machine_memory()
    if memory is None:
        return Check("memory", "warning", "this system does not tell how much there is")
    status: Literal["ok", "warning"] = "ok" if memory >= _LEAST_MEMORY else "warning"
    return Check("memory", status, f"{memory:.0f} GB, {os.cpu_count()} cores")


def _writable(name: str, folder: Path) -> Check:
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=existing) as file:
            file.write(b"x")
    except OSError as error:
        cure = "use --out" if name == "runs folder" else "set RGBDSOD_HOME"
        return Check(name, "failed", f"{folder} cannot be written ({error.strerror}); {cure}")
    return Check(name, "ok", str(folder))


def _tables() -> Check:
    try:
        import pyarrow as pa
    except ImportError:
        return Check("tables", "ok", "pyarrow is missing: tables are written as CSV (pip install 'rgbdsod[parquet]')")
    return Check("tables", "ok", f"pyarrow {pa.__version__}")


def _weights(name: str) -> Callable[[], Check]:
    def check() -> Check:
        from rgbdsod.models import load_model

        try:
            model = load_model(name, device="cpu")
        except RgbdsodError as error:
            return Check(f"weights {name}", "failed", str(error))
        return Check(f"weights {name}", "ok", f"{model.card.bytes} bytes, sha256 {model.card.sha256}")

    return check


def _demo() -> Check:
    from rgbdsod.datasets import load_dataset

    data = load_dataset("demo")
    sizes = {sample.size for sample in data}
    return Check("demo data", "ok", f"{len(data)} images of {len(sizes)} sizes, all readable")


def _self_test() -> Check:
    """An attack whose outcome is known: more loss than before, inside the budget, one input untouched."""
    from rgbdsod.run.attack import attack
    from rgbdsod.run.selftest import known_model

    result = attack(known_model(), "scenes:4@64x64", eps={"depth": 8 / 255}, steps=5)
    budget = result.metrics["results"][0]["budget"]
    if budget["rgb"]["measured"] != 0 or budget["depth"]["measured"] > 8 / 255 + 1e-6:
        return Check("self-test", "failed", f"the attack left its budget: {budget}; reinstall rgbdsod")
    if any(row["loss"] < row["start_loss"] for row in result.samples):
        return Check("self-test", "failed", "the attack lowered its own loss; reinstall torch")
    return Check("self-test", "ok", "an attack on 4 scenes stays in its budget and raises its loss")
