"""What printing, light and wear do to the colours of a patch, (B,3,h,w) in and out, not yet clipped."""

import torch
from kornia.filters import gaussian_blur2d, motion_blur
from kornia.geometry.transform import get_tps_transform, warp_image_tps
from torch import Tensor
from torch.nn.functional import interpolate

from rgbdsod.attacks.patch.transforms.draw import Draw, only
from rgbdsod.attacks.patch.transforms.medians import window_median


def light(colours: Tensor, draw: Draw, *, brightness: float = 0.1, contrast: float = 0.2) -> Tensor:
    """Brightness by up to so much, contrast about middle grey by up to so much of itself."""
    more = draw.uniform(-brightness, brightness).view(-1, 1, 1, 1)
    gain = draw.uniform(1 - contrast, 1 + contrast).view(-1, 1, 1, 1)
    return (colours - 0.5) * gain + 0.5 + more


def cast(colours: Tensor, draw: Draw, *, spread: float = 0.05) -> Tensor:
    """The colours of print and camera: a matrix near the identity, and an offset."""
    mix = torch.eye(3).to(colours) + draw.uniform(-spread, spread, 3, 3)
    return torch.einsum("bij,bjhw->bihw", mix, colours) + draw.uniform(-spread, spread, 3, 1, 1)


def grain(colours: Tensor, draw: Draw, *, amount: float = 0.1) -> Tensor:
    """Uniform noise of each value."""
    return colours + draw.uniform(-amount, amount, *colours.shape[1:])


def blur(colours: Tensor, draw: Draw, *, sigma: float = 1.0) -> Tensor:
    """A Gaussian of up to so many pixels; a patch too small for its kernel stays."""
    width = draw.uniform(0.05, sigma)
    size = 2 * int(3 * sigma) + 1
    if size // 2 >= min(colours.shape[-2:]):
        return colours
    return gaussian_blur2d(colours, (size, size), torch.stack([width, width], 1))


def shake(colours: Tensor, draw: Draw, *, chance: float = 0.2, length: int = 5) -> Tensor:
    """Motion blur in any direction."""
    happens, angle = draw.happens(chance), draw.uniform(0, 360)
    if length // 2 >= min(colours.shape[-2:]):
        return colours
    angle = angle[happens]
    return only(colours, happens, lambda some: motion_blur(some, length, angle, torch.zeros_like(angle)))


def coarse(colours: Tensor, draw: Draw, *, chance: float = 0.3, least: float = 0.5) -> Tensor:
    """Shrunk by area to a share of its sides, and enlarged again."""
    happens = draw.happens(chance)
    size = (colours.shape[-2], colours.shape[-1])
    shrunk = (max(1, round(size[0] * least)), max(1, round(size[1] * least)))

    def change(some: Tensor) -> Tensor:
        return interpolate(interpolate(some, shrunk, mode="area"), size, mode="bilinear", align_corners=False)

    return only(colours, happens, change)


def smear(colours: Tensor, draw: Draw, *, chance: float = 0.3, size: int = 7) -> Tensor:
    """The median of each neighbourhood."""
    happens = draw.happens(chance)
    if size // 2 >= min(colours.shape[-2:]):
        return colours
    return only(colours, happens, lambda some: window_median(some, size))


def bend(colours: Tensor, draw: Draw, *, chance: float = 0.3, amount: float = 0.05) -> Tensor:
    """Bent like paper: a thin plate through nine points that move by a share of the patch."""
    happens = draw.happens(chance)
    shifts = draw.uniform(-2 * amount, 2 * amount, 9, 2)[happens]

    def change(some: Tensor) -> Tensor:
        line = torch.linspace(-1, 1, 3).to(some)
        points = torch.cartesian_prod(line, line).expand(len(some), -1, -1)
        moved = points + shifts
        weights, affine = get_tps_transform(moved, points)
        bent: Tensor = warp_image_tps(some, moved, weights, affine, padding_mode="border")
        return bent

    return only(colours, happens, change)


def cut(colours: Tensor, draw: Draw, *, chance: float = 0.3, share: float = 0.4) -> Tensor:
    """A grey square over part of the patch, with sides a share of the patch's."""
    happens = draw.happens(chance)
    left, top = (draw.uniform(0, 1 - share).view(-1, 1, 1)[happens] for _ in range(2))
    height, width = colours.shape[-2:]
    x = torch.arange(width, device=colours.device) / width
    y = (torch.arange(height, device=colours.device) / height)[:, None]
    hidden = (x >= left) & (x < left + share) & (y >= top) & (y < top + share)
    return only(colours, happens, lambda some: some.masked_fill(hidden[:, None], 0.5))
