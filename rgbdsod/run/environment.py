"""Where a run takes place: versions, device, memory."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from rgbdsod import __version__

if TYPE_CHECKING:
    import torch

_PACKAGES = ("torchvision", "timm", "numpy", "opencv-python-headless", "scipy", "safetensors")


def versions() -> dict[str, str]:
    """Versions of everything that numbers depend on."""
    import torch

    found = {"rgbdsod": __version__, "python": platform.python_version(), "torch": str(torch.__version__)}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found | {"system": platform.platform()}


def describe_device(device: "torch.device") -> dict[str, str]:
    """Name and description of a device, for the record."""
    import torch

    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        text = f"{properties.name}, {properties.total_memory / 2**30:.0f} GB"
    elif device.type == "cpu":
        text = f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads"
    else:
        text = platform.machine()
    return {"name": str(device), "description": text}


def machine_memory() -> float | None:
    """Memory of this machine in GB, where the system tells."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    except (AttributeError, ValueError, OSError):
        return None


def cache_folder() -> Path:
    """Where fetched weights lie: RGBDSOD_HOME, or the user's cache folder."""
    home = os.environ.get("RGBDSOD_HOME")
    return Path(home) if home else Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "rgbdsod"
