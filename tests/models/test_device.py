"""Devices by name."""

import pytest
import torch

from rgbdsod.errors import DeviceError, UsageError
from rgbdsod.models.device import available_devices, resolve_device


def test_devices_are_found_or_explained() -> None:
    assert resolve_device("cpu") == torch.device("cpu")
    assert str(resolve_device("auto")) == available_devices()[0]
    with pytest.raises(UsageError, match='no device "gpu"; use auto, cpu, cuda, cuda:N or mps'):
        resolve_device("gpu")
    with pytest.raises(UsageError, match='no device "meta"'):
        resolve_device("meta")
    with pytest.raises(DeviceError, match=r'device "cuda:99" is not here; there is .*cpu'):
        resolve_device("cuda:99")
