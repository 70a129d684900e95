"""Power spectra of images."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from rgbdsod.errors import UsageError
from rgbdsod.metrics import spectrum


def wave(frequency, size=(64, 64), axis=1):
    at = np.arange(size[axis])
    line = 0.5 + 0.4 * np.cos(2 * np.pi * frequency * at)
    return np.broadcast_to(line if axis == 1 else line[:, None], (1, 1, *size)).copy()


@pytest.mark.parametrize("size", [(64, 64), (33, 48), (48, 33)])
@pytest.mark.parametrize("axis", [0, 1])
def test_a_wave_is_on_its_side_of_the_radius(size, axis):
    for frequency, above in ((0.125, 0), (0.375, 1)):
        assert spectrum(wave(frequency, size, axis))["hf"][0] == pytest.approx(above, abs=0.02)


def test_a_wave_is_in_its_ring():
    profile = spectrum(wave(0.3))["profile"][0]
    assert profile.argmax() == int(0.3 / 0.5 * 32)
    assert profile.sum() == pytest.approx(1)


def test_noise_fills_the_plane():
    """A disc of radius 0.25 is pi / 16 of the square of frequencies."""
    found = spectrum(np.random.default_rng(0).random((16, 3, 64, 64)))
    assert found["hf"].mean() == pytest.approx(1 - np.pi / 16, abs=0.02)
    assert abs(found["slope"].mean()) < 0.3


def test_smooth_patches_have_less_than_pink_ones():
    rng = np.random.default_rng(1)
    smooth = F.interpolate(torch.from_numpy(rng.random((8, 3, 5, 5))), (64, 64), mode="bilinear")
    frequency = np.hypot(np.fft.fftfreq(64)[:, None], np.fft.fftfreq(64)[None])
    frequency[0, 0] = 1
    pink = np.fft.ifft2(np.fft.fft2(rng.normal(size=(8, 1, 64, 64))) / frequency).real
    pink = (pink - pink.min()) / (pink.max() - pink.min())
    found = spectrum(pink)
    assert spectrum(smooth)["hf"].max() < 0.02 < found["hf"].min()
    assert found["slope"].mean() == pytest.approx(-2, abs=0.4)


def test_without_contrast_everything_is_zero():
    for value in spectrum(np.full((2, 3, 9, 12), 0.3)).values():
        np.testing.assert_array_equal(value, np.zeros_like(value))


def test_refusals():
    with pytest.raises(UsageError, match="between 0 and"):
        spectrum(wave(0.1), radius=0.6)
    with pytest.raises(UsageError, match="at least 8x8"):
        spectrum(np.zeros((1, 2, 20, 20)))
    with pytest.raises(UsageError, match=r"from 0.00 to 2.00"):
        spectrum(np.linspace(0, 2, 64).reshape(1, 1, 8, 8))
