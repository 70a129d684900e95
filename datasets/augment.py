"""Training augmentation: one geometric change for all inputs of a sample, a change of light for the RGB alone."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

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
    arrays = {"rgb": sample.rgb, "depth": sample.depth, "mask": sample.mask, "valid": sample.valid}
    if rng.random() < how.flip:
        arrays = {name: _flipped(value) for name, value in arrays.items()}
    if how.crop < 1:
        window = _window(sample.rgb.shape[:2], how.crop, rng)
        arrays = {name: _cropped(value, window) for name, value in arrays.items()}
    if how.light > 0 and arrays["rgb"] is not None:
        arrays["rgb"] = _relit(arrays["rgb"], rng, how.light)
    return replace(sample, **arrays)  # type: ignore[arg-type]  # one dict holds arrays of several element types


def resized(sample: Sample, size: tuple[int, int]) -> Sample:
    """The sample at another size (H, W): linear, nearest for the validity; the mask stays grey at its edges."""
    if sample.rgb.shape[:2] == size:
        return sample
    arrays = {name: getattr(sample, name) for name in ("rgb", "depth", "mask", "valid")}
    arrays = {name: _scaled(value, size) for name, value in arrays.items()}
    return replace(sample, **arrays)


def _flipped(array: np.ndarray | None) -> np.ndarray | None:
    return None if array is None else np.ascontiguousarray(array[:, ::-1])


def _window(size: tuple[int, ...], smallest: float, rng: np.random.Generator) -> tuple[slice, slice]:
    """A random window; each side keeps at least the share `smallest`."""
    spans = []
    for side in size[:2]:
        length = max(1, round(side * rng.uniform(smallest, 1.0)))
        start = int(rng.integers(0, side - length + 1))
        spans.append(slice(start, start + length))
    return spans[0], spans[1]


def _cropped(array: np.ndarray | None, window: tuple[slice, slice]) -> np.ndarray | None:
    """The window, resized back."""
    return None if array is None else _scaled(array[window], array.shape[:2])


def _scaled(array: np.ndarray | None, size: tuple[int, ...]) -> np.ndarray | None:
    """Linear, but nearest for the validity, which has no values between yes and no."""
    if array is None:
        return None
    height, width = size[:2]
    array = np.ascontiguousarray(array)
    if array.dtype == np.bool_:
        return cv2.resize(array.view(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST).astype(bool)
    return cv2.resize(array, (width, height), interpolation=cv2.INTER_LINEAR)


def _relit(rgb: np.ndarray, rng: np.random.Generator, light: float) -> np.ndarray:
    contrast, brightness = rng.uniform(1 - light, 1 + light, size=2)
    mean = float(rgb.mean())
    return cv2.convertScaleAbs(rgb, alpha=contrast * brightness, beta=brightness * mean * (1 - contrast))
