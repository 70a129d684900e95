"""Normals and gravity of batches of depth maps in torch: the closed form of `fast`, differentiable.

Shapes are (B,H,W) for maps and (B,3) for directions; nothing is reduced over the batch.
"""

from dataclasses import dataclass
from math import cos, radians, sin

import torch
from torch import Tensor

from rgbdsod.datasets.hha.camera import Matrix
from rgbdsod.datasets.hha.fast import SUPPORT
from rgbdsod.datasets.hha.geometry import ROUNDS, TIE
from rgbdsod.datasets.hha.moments import first_moments, second_moments

Vectors = tuple[Tensor, Tensor, Tensor]
"""The coordinates of a map of vectors."""


@dataclass(frozen=True, eq=False)
class Rays:
    """The rays (a, b, 1) of the pixels of one size.

    Attributes:
        a: (1,1,W).
        b: (1,H,1).
        focal: fx and fy.
    """

    a: Tensor
    b: Tensor
    focal: tuple[float, float]

    @classmethod
    def of(cls, camera: Matrix, like: Tensor) -> "Rays":
        """Those of a (3,3) matrix, for pixel numbers that begin at 1, and maps (...,H,W)."""
        fx, cx, fy, cy = (float(camera[place]) for place in ((0, 0), (0, 2), (1, 1), (1, 2)))
        height, width = like.shape[-2:]
        columns, rows = (torch.arange(1, size + 1, device=like.device, dtype=like.dtype) for size in (width, height))
        return cls(((columns - cx) / fx)[None, None, :], ((rows - cy) / fy)[None, :, None], (fx, fy))


def normals(depth: Tensor, valid: Tensor | None, rays: Rays, radius: int, every: int = 1) -> tuple[Vectors, Tensor]:
    """Unit normals away from the camera, and where enough of the window was valid (elsewhere the ray of the axis).

    Args:
        depth: (B,H,W) in metres.
        valid: (B,H,W) bool; None: everywhere.
        rays: of the pixels.
        radius: of the windows.
        every: only at every so many pixels in each direction.
    """
    if valid is None:
        p, q, s, defined = _plane(1 / depth, radius, every)
    else:
        inverse = torch.where(valid, 1 / torch.where(valid, depth, 1), 0)
        p, q, s, defined = _masked_plane(inverse, valid.to(depth.dtype), radius, every)
    p, q = p * (rays.focal[0] / radius), q * (rays.focal[1] / radius)
    ahead = torch.where(s < 0, -1.0, 1.0).to(s.dtype)
    s = s - rays.a[..., ::every] * p - rays.b[:, ::every] * q
    # Outside the defined pixels there is nothing to divide by; the gradient must not see that either.
    p, q, s = torch.where(defined, p, 0), torch.where(defined, q, 0), torch.where(defined, s, 1)
    scale = ahead * torch.rsqrt(p * p + q * q + s * s)
    return (p * scale, q * scale, s * scale), defined


def own_down(like: Tensor) -> Tensor:
    """The camera's own y, (3,), made on the device, so that nothing waits for a copy."""
    return (torch.arange(3, device=like.device) == 1).to(like.dtype)


def find_gravity(normal: Vectors, defined: Tensor, *, differentiable: bool = False) -> Tensor:
    """Gravity (B,3) from maps of unit normals; all rounds are made, since stopping early would ask the device.

    Args:
        normal: three maps (B,H,W).
        defined: which of the normals count, (B,H,W) or (1,H,W).
        differentiable: the gradient passes the last round's eigenvector.
    """
    # A normal of length 0 adds nothing to any sum.
    field = torch.stack([torch.where(defined, part, 0) for part in normal], 1).flatten(2)
    down = own_down(field).expand(len(field), 3)
    limits = [limit for limit, rounds in ROUNDS for _ in range(rounds)]
    for turn, limit in enumerate(limits):
        last = turn == len(limits) - 1
        # Sums over a whole image of which only differences count: never in the half precision of a network's autocast.
        with torch.set_grad_enabled(differentiable and last), torch.autocast(field.device.type, enabled=False):
            down = _better(field, down, limit)
    return down


def _better(field: Tensor, down: Tensor, limit: float) -> Tensor:
    """One round: the direction that walls (of the present one) are least, and floors most, parallel to."""
    along = (down[:, None, :] @ field.detach()).squeeze(1).abs()
    wall, floor = along < sin(radians(limit)), along > cos(radians(limit))
    chosen = wall.to(field.dtype).sub_(floor.to(field.dtype))
    axis = _least_axis((chosen[:, None, :] * field) @ field.mT, down)
    return torch.where((axis * down).sum(-1, keepdim=True) < 0, -axis, axis)


def _least_axis(scatter: Tensor, down: Tensor) -> Tensor:
    """Eigenvectors (B,3) of the smallest eigenvalues; of two that are equal, what lies nearest to `down` (or is it)."""
    values, vectors = torch.linalg.eigh(scatter.detach())
    largest = values.abs().amax(1, keepdim=True)
    tied = values[:, 1:2] - values[:, :1] <= TIE * largest
    between = (vectors[..., :2] @ (vectors[..., :2].mT @ down[..., None])).squeeze(-1)
    length = torch.linalg.vector_norm(between, dim=-1, keepdim=True)
    nearest = torch.where((length > TIE) & (largest > 0), between / length.clamp(min=TIE), down)
    if scatter.requires_grad:
        # Equal eigenvalues have no gradient: such a matrix is replaced by one that has.
        apart = torch.diag(torch.arange(3, device=scatter.device, dtype=scatter.dtype))
        vectors = torch.linalg.eigh(torch.where(tied[..., None], apart, scatter))[1]
    return torch.where(tied, nearest, vectors[..., 0])


def _plane(inverse: Tensor, radius: int, every: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Plane fit in whole windows: slopes p and q along the scaled offsets, s at the centre, and where it holds."""
    total, in_x, in_y = first_moments(inverse, radius, every)
    in_row, mean_x, variance_x = _offsets(inverse, -1, radius, every)
    in_column, mean_y, variance_y = (part[:, None] for part in _offsets(inverse, -2, radius, every))
    number = in_row * in_column
    mean = total / number
    p = (in_x / number - mean_x * mean) / variance_x
    q = (in_y / number - mean_y * mean) / variance_y
    return p, q, mean - mean_x * p - mean_y * q, (number >= SUPPORT[radius])[None]


def _offsets(like: Tensor, side: int, radius: int, every: int) -> tuple[Tensor, Tensor, Tensor]:
    """Along one side: number, mean and variance of the scaled offsets in windows that the border cuts."""
    size = like.shape[side]
    place = torch.arange(size, device=like.device, dtype=like.dtype)[::every]
    low, high = -place.clamp(max=radius), (size - 1 - place).clamp(max=radius)
    number = high - low + 1
    variance = (number**2 - 1).clamp(min=1) / 12  # of consecutive integers; of one alone any slope will do
    return number, (low + high) / (2 * radius), variance / radius**2


def _masked_plane(inverse: Tensor, mask: Tensor, radius: int, every: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Plane fit to the valid pixels of each window: the symmetric 3x3 system by its adjugate, sign included."""
    count, u, w = first_moments(mask, radius, every)
    uu, uw, ww = second_moments(mask, radius, every)
    i, iu, iw = first_moments(inverse, radius, every)
    first, second, third = ww * count - w * w, w * u - uw * count, uw * w - ww * u
    middle, last = uu * count - u * u, uw * u - uu * w
    p = first * iu + second * iw + third * i
    q = second * iu + middle * iw + last * i
    s = third * iu + last * iw + (uu * ww - uw * uw) * i
    return p, q, s, count >= SUPPORT[radius]
