"""What replaces masked pixels."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from kornia.filters import gaussian_blur2d
from torch import Tensor

from rgbdsod.errors import UsageError

JACOBI_STEPS = 200
_TINY = 1e-6
_REACH = 16  # the Gaussian of `blur` has the deviation side / 16


def fill(image: Tensor, mask: Tensor, how: str = "inpaint") -> Tensor:
    """The image with the masked pixels replaced; differentiable in both.

    Args:
        image: (B,C,H,W) in [0, 1].
        mask: (B,1,H,W) in [0, 1]; 1 is replaced. A value between mixes.
        how: "mean" of the visible pixels, "grey", "black", "inpaint" (diffusion from the rim: 200 Jacobi steps of the
            Laplace equation, begun at the mean), or "blur" (Gaussian mean of the visible pixels around).

    Raises:
        UsageError: no such fill, or a mask of another shape.

    Example:
        >>> import torch
        >>> from rgbdsod.defenses import fill
        >>> mask = torch.zeros(1, 1, 8, 8); mask[..., 2:5, 2:5] = 1
        >>> fill(torch.full((1, 3, 8, 8), 0.25), mask).unique().tolist()
        [0.25]
    """
    if mask.shape != (len(image), 1, *image.shape[-2:]):
        raise UsageError(f"a mask {tuple(mask.shape)} for images {tuple(image.shape)}; pass (B,1,H,W) of their size")
    check_fill(how)
    return _FILLS[how](image, mask.to(image))


def check_fill(how: str) -> None:
    """Refuse a fill that does not exist."""
    if how not in _FILLS:
        raise UsageError(f'no fill "{how}"; fills are {", ".join(_FILLS)}')


def _mixed(image: Tensor, mask: Tensor, other: Tensor) -> Tensor:
    return torch.where(mask == 0, image, image + mask * (other - image))  # bit-equal where nothing is masked


def _visible_mean(image: Tensor, mask: Tensor) -> Tensor:
    """(B,C,1,1); 0.5 where nothing is visible."""
    visible = 1 - mask
    weight = visible.mean((2, 3), keepdim=True)
    return torch.where(weight > 0, (image * visible).mean((2, 3), keepdim=True) / weight.clamp_min(_TINY), 0.5)


def _mean(image: Tensor, mask: Tensor) -> Tensor:
    return _mixed(image, mask, _visible_mean(image, mask))


def _grey(image: Tensor, mask: Tensor) -> Tensor:
    return _mixed(image, mask, torch.full_like(image, 0.5))


def _black(image: Tensor, mask: Tensor) -> Tensor:
    return _mixed(image, mask, torch.zeros_like(image))


def _blur(image: Tensor, mask: Tensor) -> Tensor:
    """The visible pixels around, weighted by a Gaussian; further away than it reaches, their mean."""
    sigma = max(image.shape[-2:]) / _REACH
    radius = min(int(2 * sigma) + 1, min(image.shape[-2:]) - 1)
    size = (2 * radius + 1, 2 * radius + 1)
    seen = torch.cat([image * (1 - mask), 1 - mask], 1)
    near = gaussian_blur2d(seen, size, (sigma, sigma)) if radius else seen
    mean = _visible_mean(image, mask)
    return _mixed(image, mask, (near[:, :-1] + _TINY * mean) / (near[:, -1:] + _TINY))


def _inpaint(image: Tensor, mask: Tensor) -> Tensor:
    """Only the rows and columns that any image masks, and one around, take part: the others never change."""
    bounds = _bounds(mask)
    if bounds is None:
        return image
    rows, columns = bounds
    inside, where = image[..., rows, columns], mask[..., rows, columns]
    now = inside + where * (_visible_mean(image, mask) - inside)
    for _ in range(JACOBI_STEPS):
        around = F.pad(now, (1, 1, 1, 1), mode="replicate")
        mean = around[..., 2:, 1:-1] + around[..., :-2, 1:-1]
        mean = (mean + around[..., 1:-1, 2:] + around[..., 1:-1, :-2]) / 4
        now = torch.lerp(inside, mean, where)
    result = image.clone()
    result[..., rows, columns] = now
    return _mixed(image, (mask > 0).to(image), result)


def _bounds(mask: Tensor) -> tuple[slice, slice] | None:
    """The rows and columns that are masked in any image of the batch, one wider; None: nothing is masked."""
    found = (mask > 0).any(1).any(0)
    if not bool(found.any()):
        return None
    sides = []
    for axis in (1, 0):
        at = found.any(axis).nonzero().flatten()
        sides.append(slice(max(int(at[0]) - 1, 0), int(at[-1]) + 2))
    return sides[0], sides[1]


_FILLS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mean": _mean,
    "grey": _grey,
    "black": _black,
    "inpaint": _inpaint,
    "blur": _blur,
}
FILLS = tuple(_FILLS)
"""The names of the fills."""
