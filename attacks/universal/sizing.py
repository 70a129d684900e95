"""A noise of one size on images of another: refused, resized, or laid out as tiles."""

from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from rgbdsod.errors import UsageError

Sizing = Literal["resize", "tile", "fixed"]
SIZINGS: tuple[str, ...] = get_args(Sizing)


def check_sizing(sizing: str) -> None:
    """Refuse an unknown way.

    Raises:
        UsageError: so.
    """
    if sizing not in SIZINGS:
        raise UsageError(f'no sizing "{sizing}"; it is one of {", ".join(SIZINGS)}')


def sized(noise: Tensor, like: Tensor, sizing: str) -> Tensor:
    """The noise at an image's size.

    Args:
        noise: (1,C,h,w); any (1, ...) that has the image's size already.
        like: the images (B,C,H,W).
        sizing: "resize" (bilinear), "tile" (repeated from the upper left corner), or "fixed".

    Raises:
        UsageError: another size with "fixed", or other channels.
    """
    if noise.shape[1:] == like.shape[1:]:
        return noise
    has, wanted = ("x".join(map(str, value.shape[1:])) for value in (noise, like))
    if noise.ndim != 4 or like.ndim != 4 or noise.shape[1] != like.shape[1]:
        raise UsageError(f"a noise of {has} does not fit an input of {wanted}")
    if sizing == "fixed":
        raise UsageError(f'the noise is {has}, the input {wanted}; pass sizing="resize" or sizing="tile"')
    height, width = like.shape[-2:]
    if sizing == "resize":
        return interpolate(noise, (height, width), mode="bilinear", align_corners=False)
    times = [-(-side // own) for side, own in zip((height, width), noise.shape[-2:], strict=True)]
    return noise.repeat(1, 1, *times)[..., :height, :width]


def pulled_back(gradient: Tensor, noise: Tensor, sizing: str) -> Tensor:
    """The gradient with respect to the noise, from that with respect to the sized noise (1,C,H,W)."""
    if gradient.shape == noise.shape:
        return gradient
    with torch.enable_grad():
        leaf = noise.detach().requires_grad_()
        (pulled,) = torch.autograd.grad(sized(leaf, gradient, sizing), leaf, gradient)
    return pulled
