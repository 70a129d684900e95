"""Which device to compute on."""

import torch

from rgbdsod.errors import DeviceError, UsageError


def available_devices() -> list[str]:
    """Names of the devices that are here, the fastest first."""
    names = [f"cuda:{index}" for index in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    if torch.backends.mps.is_available():
        names.append("mps")
    return [*names, "cpu"]


def resolve_device(name: str = "auto") -> torch.device:
    """The device of a name.

    Args:
        name: "auto" (the fastest that is here), "cpu", "cuda", "cuda:N" or "mps".

    Raises:
        UsageError: for a name of another form. DeviceError: for a device that is not here.
    """
    here = available_devices()
    if name == "auto":
        return torch.device(here[0])
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda", "mps"):
        raise UsageError(f'no device "{name}"; use auto, cpu, cuda, cuda:N or mps')
    wanted = "cuda:0" if name == "cuda" else name
    if device.type != "cpu" and wanted not in here:
        raise DeviceError(f'device "{name}" is not here; there is {", ".join(here)}')
    return device
