"""Outlines of patches, and how large a patch is that takes a share of an image."""

from math import sqrt

import torch
from torch import Tensor

from rgbdsod.attacks.patch.pose import Size
from rgbdsod.attacks.patch.stencil import is_file, resized, stencil
from rgbdsod.errors import UsageError

SHAPES = ("square", "disc", "rounded")
_CORNER = 0.25  # radius of a rounded corner, as a share of the side


def outline(shape: str, height: int, width: int) -> Tensor:
    """A shape as cover in [0, 1], (1,h,w); its edge is one pixel wide.

    Args:
        shape: "square", "disc" or "rounded", sides "3:2" (width to height), or a picture's name: its alpha.
        height, width: of the canvas, which the shape fills.

    Raises:
        UsageError: no such shape, or one too thin for the canvas.
        DataError: the picture cannot be read, or is no shape.
    """
    if is_file(shape):
        found = resized(stencil(shape), height, width)
        if not bool((found >= 0.5).any()):
            raise UsageError(f"--shape {shape} is thinner than a pixel on {height}x{width} pixels; pass a larger size")
        return found
    sides(shape)
    if shape not in ("disc", "rounded"):
        return torch.ones(1, height, width)
    y = torch.arange(height)[:, None] - (height - 1) / 2
    x = torch.arange(width)[None] - (width - 1) / 2
    if shape == "disc":
        radius = min(height, width) / 2
        distance = torch.hypot(x / width, y / height) * 2 * radius
    else:
        radius = _CORNER * min(height, width)
        distance = torch.hypot(
            (x.abs() - width / 2 + radius).clamp_min(0), (y.abs() - height / 2 + radius).clamp_min(0)
        )
    return (radius - distance + 0.5).clamp(0, 1)[None]


def sides(shape: str) -> tuple[float, float]:
    """Width and height of a shape, in any unit.

    Raises:
        UsageError: no such shape.
        DataError: a picture that is no shape.
    """
    if shape in SHAPES:
        return 1.0, 1.0
    if is_file(shape):
        rows, columns = stencil(shape).shape[-2:]
        return float(columns), float(rows)
    width, colon, height = shape.partition(":")
    try:
        found = float(width), float(height)
    except ValueError:
        found = 0.0, 0.0
    if not colon or min(found) <= 0:
        raise UsageError(
            f'no shape "{shape}"; shapes are {", ".join(SHAPES)}, sides such as 3:2, and a picture with alpha, FILE.png'
        )
    return found


def parse_share(size: float | str, flag: str = "--patch-size") -> float:
    """A share of the image from 0.05 or "5%".

    Raises:
        UsageError: not above 0, or above the whole image.
    """
    text = str(size).strip()
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        raise UsageError(f"{flag} {text}: pass a share of the image, such as 5% or 0.05") from None
    if share > 1:
        hint = f"did you mean {text}%?" if not text.endswith("%") and share <= 100 else "pass a share, such as 5%"
        raise UsageError(f"{flag} {text}: the patch is larger than the image; {hint}")
    if not share > 0:
        raise UsageError(f"{flag} {text} is no size; pass a share of the image, such as 5%")
    return share


def window(size: float | str, shape: str | Tensor, image: Size) -> Size:
    """Rows and columns (h, w) that a patch takes in an image, so that its shape covers the share.

    Args:
        size: the share, 0.05 or "5%".
        shape: see `outline`; or cover (1,h,w), of which counts what is covered by half.
        image: (H, W).

    Raises:
        UsageError: the patch does not fit into the image, or is smaller than one pixel.
        DataError: a picture that is no shape.
    """
    share = parse_share(size)
    cover = stencil(shape) if isinstance(shape, str) and is_file(shape) else shape
    if isinstance(cover, str):
        width, height = sides(cover)
        full = outline(cover, 256, 256).mean().item() if cover in SHAPES else 1.0
    else:
        height, width = (float(side) for side in cover.shape[-2:])
        full = (cover >= 0.5).float().mean().item()
    unit = sqrt(share * image[0] * image[1] / (full * width * height))
    rows, columns = round(unit * height), round(unit * width)
    if min(rows, columns) < 1:
        raise UsageError(f"--patch-size {size} of an image of {image[0]}x{image[1]} is less than a pixel; pass more")
    if rows > image[0] or columns > image[1]:
        named = shape if isinstance(shape, str) else "cut out"
        raise UsageError(
            f"--patch-size {size}: a {named} patch of {rows}x{columns} pixels is larger than the image of "
            f"{image[0]}x{image[1]}; pass a smaller share"
        )
    return rows, columns
