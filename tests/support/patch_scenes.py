"""Pictures, patches and a slow composition with loops, to compare with."""

import numpy as np
import torch
from attacks_networks import Saliency, seeded
from attacks_problems import rand
from torch import Tensor

from rgbdsod.attacks import MapProblem
from rgbdsod.attacks.patch.patch import Patch
from rgbdsod.attacks.patch.shapes import outline


def pictures(samples: int = 2, size: tuple[int, int] = (24, 30)) -> dict[str, Tensor]:
    """Random colours over the left half of the depth range."""
    return {"rgb": rand(0, samples, 3, *size), "depth": rand(1, samples, 1, *size) / 2}


def drawn(shape: str = "square", size: tuple[int, int] = (6, 7), mode: str = "none", **parts) -> Patch:
    """A patch of random colours."""
    return Patch(outline(shape, *size), rand(5, 3, *size), mode, **parts)


def victim(samples: int = 2, size: int = 24, **settings) -> tuple[MapProblem, dict[str, Tensor]]:
    """A random network, right at first, on scenes with a block as object."""
    inputs = pictures(samples, (size, size))
    masks = torch.zeros(samples, 1, size, size)
    masks[:, :, size // 3 : 2 * size // 3, size // 3 : 2 * size // 3] = 1
    return MapProblem(seeded(Saliency()), masks, **settings), inputs


def slow_composition(image: Tensor, patch: Patch, place: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """One picture (3,H,W) under a patch, pixel by pixel in NumPy, and its mask."""
    back = np.linalg.inv(place.double().numpy())
    content, alpha = patch.content.double().numpy(), patch.alpha[0].double().numpy()
    result, mask = image.double().numpy().copy(), np.zeros(image.shape[-2:], bool)
    for v in range(image.shape[-2]):
        for u in range(image.shape[-1]):
            x, y, z = back @ np.array([u, v, 1.0])
            cover = _sample(alpha, x / z, y / z)
            if cover > 1e-3:
                ink = [_sample(channel * alpha, x / z, y / z) for channel in content]
                result[:, v, u] = (1 - cover) * result[:, v, u] + ink
            mask[v, u] = cover >= 0.5
    return result, mask


def _sample(grid: np.ndarray, x: float, y: float) -> float:
    """Bilinear, 0 outside."""
    total, left, top = 0.0, int(np.floor(x)), int(np.floor(y))
    for row in (top, top + 1):
        for column in (left, left + 1):
            if 0 <= row < grid.shape[0] and 0 <= column < grid.shape[1]:
                total += grid[row, column] * (1 - abs(y - row)) * (1 - abs(x - column))
    return total
