"""Distances of maps at the size of an image, mostly without building the maps at that size.

Bilinear resizing is linear: a map `m` on the patches' grid becomes `U_h^T m U_w`. Inner products of resized maps are
then those of `F_h^T m F_w` with `F F^T = U U^T`, where `F` is no larger than the grid.
"""

from functools import lru_cache
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from rgbdsod.errors import UsageError
from rgbdsod.fusion.alignment.precision import full_precision

Distance = Literal["l2", "l1", "cos", "rms"]
"""Euclidean; mean absolute difference; one minus the cosine; Euclidean over the side."""


def resized(maps: Tensor, grid: tuple[int, int], side: int) -> Tensor:
    """Maps on the patches' grid at the size of an image: bilinear, half-pixel centres.

    Args:
        maps: (B,P), row-major.
        grid: rows and columns, P in all.
        side: height and width of the result.

    Returns:
        (B,side,side).

    Raises:
        UsageError: the maps do not fit the grid.
    """
    return F.interpolate(_on_grid(maps, grid)[:, None], (side, side), mode="bilinear", align_corners=False)[:, 0]


@lru_cache(maxsize=32)
@torch.inference_mode(False)  # what is kept must be usable in training, whoever asked first
def resizing_gram(count: int, side: int) -> Tensor:
    """`U U^T` of the one-dimensional bilinear operator from `count` values to `side`, float64 (count,count).

    Treat it as read-only.
    """
    operator = F.interpolate(torch.eye(count, dtype=torch.float64)[None], side, mode="linear", align_corners=False)[0]
    gram: Tensor = operator @ operator.T
    return gram


@lru_cache(maxsize=32)
@torch.inference_mode(False)
def _factor(count: int, side: int) -> Tensor:
    """A square `F` with `F F^T` the Gram matrix, which has lower rank where the side is shorter than the grid's."""
    values, vectors = torch.linalg.eigh(resizing_gram(count, side))
    factor: Tensor = vectors * values.clamp_min(0).sqrt()
    return factor


@full_precision
def map_distance(
    maps: Tensor, others: Tensor, grid: tuple[int, int], *, side: int = 224, distance: Distance = "l2"
) -> Tensor:
    """How far maps are apart after resizing to an image, (B,), exact.

    Args:
        maps: (B,P), row-major; others: likewise.
        grid: rows and columns, P in all.
        side: of the image; the Euclidean distance grows with it.
        distance: which; "l1" is not a matter of inner products and builds the large maps.

    Raises:
        UsageError: the maps do not fit the grid.
    """
    if distance == "l1":
        return image_distance(resized(maps, grid, side), resized(others, grid, side), distance)
    one, other = (_on_grid(value, grid) for value in (maps, others))
    left, right = (_factor(count, side).to(one) for count in grid)
    if distance == "cos":
        return image_distance(left.T @ one @ right, left.T @ other @ right, distance)
    # Subtracted before the products, so that equal maps are at distance 0 exactly.
    length: Tensor = torch.linalg.vector_norm(left.T @ (one - other) @ right, dim=(1, 2))
    return length / side if distance == "rms" else length


@full_precision
def image_distance(maps: Tensor, others: Tensor, distance: Distance = "l2") -> Tensor:
    """How far maps (B,H,W) are apart as they are, (B,).

    The Euclidean distance has gradient 0 where maps are equal, as at the first step of a training.
    """
    one, other = maps.flatten(1), others.flatten(1)
    if distance == "l1":
        return (one - other).abs().mean(1)
    if distance == "cos":
        return 1 - F.cosine_similarity(one, other, dim=1)
    length: Tensor = torch.linalg.vector_norm(one - other, dim=1)
    return length / float(one.shape[1] ** 0.5) if distance == "rms" else length


def _on_grid(maps: Tensor, grid: tuple[int, int]) -> Tensor:
    if maps.ndim != 2 or maps.shape[1] != grid[0] * grid[1]:
        raise UsageError(f"maps are {tuple(maps.shape)}, expected (B,{grid[0] * grid[1]}) for a grid of {grid}")
    return maps.view(-1, *grid)
