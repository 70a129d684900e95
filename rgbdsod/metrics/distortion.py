"""How far adversarial inputs lie from clean ones, per image and input."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from skimage.metrics import structural_similarity
from torch import Tensor

from rgbdsod.errors import UsageError
from rgbdsod.metrics.arrays import FloatArray

Batch: TypeAlias = NDArray[np.floating[Any]] | Tensor
"""Images of one input, float in [0, 1], (N, C, H, W)."""

_SSIM_WINDOW = 11


def perturbation(adversarial: Mapping[str, Batch], clean: Mapping[str, Batch]) -> dict[str, dict[str, FloatArray]]:
    """Measure what an attack changed.

    Args:
        adversarial: attacked inputs by name, `{"rgb": (N, 3, H, W), "depth": (N, 1, H, W)}`, float in [0, 1]; arrays or
            tensors on any device.
        clean: the same inputs before the attack.

    Returns:
        For each input float64 (N,) by name: `l0` (pixels of which any channel changed), `l0_values` (values changed),
        `l1` (sum of absolute changes), `l2` (root of the sum of squares), `linf` (largest change), `psnr` in dB
        (infinite where nothing changed) and `ssim` (1 where nothing changed).

    Raises:
        UsageError: if names, shapes or values do not fit.

    Source:
        SSIM: Wang et al., Image Quality Assessment, IEEE TIP 2004, with its Gaussian window of sigma 1.5, per channel;
        images smaller than its 11 pixels take a uniform window of the largest odd side that fits.

    Example:
        >>> import numpy as np
        >>> from rgbdsod.metrics import perturbation
        >>> clean = np.zeros((1, 1, 16, 16))
        >>> clean[0, 0, 3, 4] = 0.25
        >>> float(perturbation({"depth": clean}, {"depth": np.zeros_like(clean)})["depth"]["linf"][0])
        0.25
    """
    if set(adversarial) != set(clean):
        raise UsageError(f"attacked inputs are {_names(adversarial)} but clean ones {_names(clean)}; pass the same")
    return {name: _measure(_images(adversarial[name], name), _images(clean[name], name), name) for name in clean}


def _measure(adversarial: FloatArray, clean: FloatArray, name: str) -> dict[str, FloatArray]:
    if adversarial.shape != clean.shape:
        raise UsageError(f'input "{name}" is {adversarial.shape} attacked but {clean.shape} clean; pass equal shapes')
    change = np.abs(adversarial - clean)
    flat = change.reshape(len(change), -1)
    squares = (flat**2).sum(axis=1)
    with np.errstate(divide="ignore"):  # nothing changed: infinitely many decibels
        psnr = 10 * np.log10(flat.shape[1] / squares)
    return {
        "l0": (change > 0).any(axis=1).sum(axis=(1, 2)).astype(np.float64),
        "l0_values": (flat > 0).sum(axis=1).astype(np.float64),
        "l1": flat.sum(axis=1),
        "l2": np.sqrt(squares),
        "linf": flat.max(axis=1),
        "psnr": psnr,
        "ssim": np.array([_ssim(x, y) for x, y in zip(adversarial, clean, strict=True)]),
    }


def _ssim(adversarial: FloatArray, clean: FloatArray) -> float:
    if np.array_equal(adversarial, clean):
        return 1.0
    side = min(clean.shape[1:])
    window: dict[str, Any] = {"win_size": side - 1 + side % 2}
    if side >= _SSIM_WINDOW:
        window = {"gaussian_weights": True, "sigma": 1.5}
    options = {"channel_axis": 0, "data_range": 1.0, "use_sample_covariance": False}
    similarity: Callable[..., float] = structural_similarity
    return float(similarity(adversarial, clean, **options, **window))


def _images(batch: Batch, name: str) -> FloatArray:
    """The images (N, C, H, W) in float64, so that measuring adds no rounding of its own."""
    images = batch.detach().cpu().numpy() if isinstance(batch, Tensor) else np.asarray(batch)
    if images.ndim != 4 or 0 in images.shape:
        raise UsageError(f'input "{name}" has shape {images.shape}; expected (N, C, H, W), at least one pixel')
    if not np.issubdtype(images.dtype, np.floating):
        raise UsageError(f'input "{name}" is {images.dtype}; pass floats in [0, 1]')
    low, high = images.min(), images.max()
    if not (low >= 0 and high <= 1):  # NaN fails too
        raise UsageError(
            f'input "{name}" has values from {low:.2f} to {high:.2f}; '
            "pass images in [0, 1], the model normalises them itself"
        )
    return images.astype(np.float64)


def _names(inputs: Mapping[str, Batch]) -> str:
    return ", ".join(sorted(inputs)) or "none"
