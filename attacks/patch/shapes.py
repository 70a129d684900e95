"""Outlines of patches, and how large a patch is that takes a share of an image."""

from math import sqrt

import torch
from torch import Tensor

from rgbdsod.attacks.patch.pose import Size
from rgbdsod.errors import UsageError

SHAPES = ("square", "disc", "rounded")
_CORNER = 0.25  # radius of a rounded corner, as a share of the side


def outline(shape: str, height: int, width: int) -> Tensor:
    """A shape as cover in [0, 1], (1,h,w); its edge is one pixel wide.

    Args:
        shape: "square", "disc" or "rounded", or sides "3:2" (width to height).
        height, width: of the canvas, which the shape fills.

    Raises:
        UsageError: no such shape.
    """
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
    """
    if shape in SHAPES:
        return 1.0, 1.0
    width, colon, height = shape.partition(":")
    try:
        found = float(width), float(height)
    except ValueError:
        found = 0.0, 0.0
    if not colon or min(found) <= 0:
        raise UsageError(f'no shape "{shape}"; shapes are {", ".join(SHAPES)}, and sides such as 3:2')
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


def window(size: float | str, shape: str, image: Size) -> Size:
    """Rows and columns (h, w) that a patch takes in an image, so that its shape covers the share.

    Args:
        size: the share, 0.05 or "5%".
        shape: see `outline`.
        image: (H, W).

    Raises:
        UsageError: the patch does not fit into the image, or is smaller than one pixel.
    """
    share, (width, height) = parse_share(size), sides(shape)
    full = outline(shape, 256, 256).mean().item() if shape in SHAPES else 1.0
    unit = sqrt(share * image[0] * image[1] / (full * width * height))
    rows, columns = round(unit * height), round(unit * width)
    if min(rows, columns) < 1:
        raise UsageError(f"--patch-size {size} of an image of {image[0]}x{image[1]} is less than a pixel; pass more")
    if rows > image[0] or columns > image[1]:
        raise UsageError(
            f"--patch-size {size}: a {shape} patch of {rows}x{columns} pixels is larger than the image of "
            f"{image[0]}x{image[1]}; pass a smaller share"
        )
    return rows, columns
