"""Spatial frequencies of patches and of their surroundings."""

import numpy as np
from numpy.typing import NDArray

from rgbdsod.errors import UsageError
from rgbdsod.metrics.arrays import FloatArray, ratio
from rgbdsod.metrics.pictures import Pictures, pictures

BINS = 32
_LUMINANCE = (0.299, 0.587, 0.114)
_NYQUIST = 0.5
_TINY = 1e-12


def spectrum(images: Pictures, radius: float = 0.25) -> dict[str, FloatArray]:
    """Measure the power spectrum of the luminance under a Hann window.

    Measure a patch twice: its file, and its pixels as they appear in the image. A design of 300 pixels shown at 40 has
    lost its high frequencies.

    Args:
        images: (N,3,H,W) or (N,1,H,W), float in [0, 1], at least 8 pixels each way; array or tensor.
        radius: in cycles per pixel, 0 to 0.5, from which on a frequency counts as high.

    Returns:
        float64 by name: `hf` (N,), the share of the power, its mean left out, above the radius; `slope` (N,), of log
        power against log frequency over the bins; `profile` (N,32), mean power in rings of equal width up to 0.5, over
        the sum of the rings. An image without contrast has 0 everywhere.

    Raises:
        UsageError: no such images, or a radius outside.

    Example:
        >>> import numpy as np
        >>> from rgbdsod.metrics import spectrum
        >>> stripes = np.zeros((1, 1, 16, 16)); stripes[..., ::2] = 1
        >>> round(float(spectrum(stripes)["hf"][0]), 2)
        1.0
    """
    if not 0 < radius < _NYQUIST:
        raise UsageError(f"radius={radius}; pass cycles per pixel between 0 and 0.5")
    grey = _luminance(pictures(images, 8))
    power = _power(grey)
    distance = _frequencies(grey.shape[1], grey.shape[2])
    profile = _profile(power, distance)
    flat = power.reshape(len(power), -1)
    high = flat[:, (distance > radius).ravel()].sum(1)
    return {"hf": ratio(high, flat.sum(1)), "slope": _slope(profile), "profile": profile}


def _luminance(images: FloatArray) -> FloatArray:
    weights = np.array(_LUMINANCE if images.shape[1] == 3 else (1.0,))
    grey: FloatArray = np.einsum("nchw,c->nhw", images, weights)
    return grey


def _power(grey: FloatArray) -> FloatArray:
    """Power (N,H,W//2+1) of the windowed image without its weighted mean; both halves of the plane counted."""
    height, width = grey.shape[1:]
    window = np.outer(np.hanning(height), np.hanning(width))
    mean = (grey * window).sum((1, 2), keepdims=True) / window.sum()
    centred = (grey - mean) * window
    centred[np.abs(grey - mean).max((1, 2)) < _TINY] = 0
    power: FloatArray = np.abs(np.fft.rfft2(centred)) ** 2
    twice = np.full(power.shape[2], 2.0)
    twice[0] = 1
    if width % 2 == 0:
        twice[-1] = 1
    power = power * twice
    power[:, 0, 0] = 0
    return power


def _frequencies(height: int, width: int) -> FloatArray:
    distance: FloatArray = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    return distance


def _profile(power: FloatArray, distance: FloatArray) -> FloatArray:
    """Mean power in each ring; a ring of a small image that no frequency falls into takes its neighbours' line."""
    ring = np.minimum((distance / _NYQUIST * BINS).astype(np.int64), BINS).ravel()  # the corners fall into the last
    count = np.bincount(ring, minlength=BINS + 1)[:BINS]
    sums = np.stack([np.bincount(ring, row, minlength=BINS + 1)[:BINS] for row in power.reshape(len(power), -1)])
    known = np.flatnonzero(count)
    means = sums[:, known] / count[known]
    rows = np.stack([np.interp(np.arange(BINS), known, row) for row in means])
    return ratio(rows, rows.sum(1, keepdims=True))


def _slope(profile: FloatArray) -> FloatArray:
    """Least squares through the rings above the lowest, which holds what the window spreads of the mean."""
    frequency = np.log((np.arange(1, BINS) + 0.5) / BINS * _NYQUIST)
    power = np.log(np.maximum(profile[:, 1:], _TINY))
    centred = frequency - frequency.mean()
    slope: NDArray[np.float64] = (power * centred).sum(1) / (centred**2).sum()
    return np.where(profile.sum(1) > 0, slope, 0.0)
