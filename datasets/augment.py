"""Training augmentation: one geometric change for all inputs of a sample, a change of light for the RGB alone."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from rgbdsod.datasets.hha.camera import resized_camera
from rgbdsod.datasets.sample import Sample


@dataclass(frozen=True)
class Augmentation:
    """What may be done to a training sample.

    Args:
        flip: probability of a horizontal flip of RGB, depth, mask and validity together.
        crop: smallest share of each side that a random window keeps; 1 means no crop. The window is resized back.
        light: brightness and contrast of the RGB are multiplied by factors drawn from [1 - light, 1 + light].
    """

    flip: float = 0.5
    crop: float = 0.85
    light: float = 0.3


def augment(sample: Sample, rng: np.random.Generator, how: Augmentation) -> Sample:
    """A changed copy of a sample, of the same size.

    Args:
        sample: needs a mask.
        rng: the sample's own random stream; the same stream gives the same copy.
        how: what may be done.
    """
    if rng.random() < how.flip:
        sample = _everywhere(sample, lambda array: array[:, ::-1])
    if how.crop < 1:
        window = _window(sample.size, how.crop, rng)
        sample = _everywhere(sample, lambda array: _scaled(array[window], array.shape[:2]))
    return replace(sample, rgb=_relit(sample.rgb, rng, how.light)) if how.light > 0 else sample


def resized(sample: Sample, size: tuple[int, int]) -> Sample:
    """The sample at another size (H, W), its camera too: linear, nearest for validity; the mask stays grey at edges."""
    if sample.size == size:
        return sample
    camera = None if sample.camera is None else resized_camera(sample.camera, sample.size, size)
    return replace(_everywhere(sample, lambda array: _scaled(array, size)), camera=camera)


def _everywhere(sample: Sample, change: Callable[[NDArray[Any]], NDArray[Any]]) -> Sample:
    """The sample with the same change made to all its arrays; its camera saw another image."""
    return replace(
        sample,
        camera=None,
        rgb=np.ascontiguousarray(change(sample.rgb)),
        depth=np.ascontiguousarray(change(sample.depth)),
        mask=None if sample.mask is None else np.ascontiguousarray(change(sample.mask)),
        valid=np.ascontiguousarray(change(sample.valid)),
    )


def _window(size: tuple[int, ...], smallest: float, rng: np.random.Generator) -> tuple[slice, slice]:
    """A random window; each side keeps at least the share `smallest`."""
    spans = []
    for side in size[:2]:
        length = max(1, round(side * rng.uniform(smallest, 1.0)))
        start = int(rng.integers(0, side - length + 1))
        spans.append(slice(start, start + length))
    return spans[0], spans[1]


def _scaled(array: NDArray[Any], size: tuple[int, ...]) -> NDArray[Any]:
    """Linear, but nearest for the validity, which has no values between yes and no."""
    height, width = size[:2]
    array = np.ascontiguousarray(array)
    if array.dtype == np.bool_:
        return cv2.resize(array.view(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST).astype(bool)
    return cv2.resize(array, (width, height), interpolation=cv2.INTER_LINEAR)


def _relit(rgb: NDArray[Any], rng: np.random.Generator, light: float) -> NDArray[Any]:
    contrast, brightness = rng.uniform(1 - light, 1 + light, size=2)
    mean = float(rgb.mean())
    return cv2.convertScaleAbs(rgb, alpha=contrast * brightness, beta=brightness * mean * (1 - contrast))
