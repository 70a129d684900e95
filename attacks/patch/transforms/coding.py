"""JPEG as a smooth function: what a picture becomes when it is saved and read again."""

from math import cos, pi, sqrt

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d, conv_transpose2d, interpolate, pad

_SIDE = 8
_LUMA = (
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56,
    14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
)  # fmt: skip
_CHROMA_CORNER = ((17, 18, 24, 47), (18, 21, 26, 66), (24, 26, 56, 99), (47, 66, 99, 99))  # all others are 99
_TO_YCC = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))
_TO_RGB = ((1.0, 0.0, 1.402), (1.0, -0.344136, -0.714136), (1.0, 1.772, 0.0))


def coded(picture: Tensor, quality: Tensor) -> Tensor:
    """A picture saved as JPEG with colour at half its size, and read again; not yet clipped.

    Rounding to whole steps is that of JPEG, with a gradient that falls to 0 at each of them.

    Args:
        picture: (B,3,H,W) in [0, 1]; sides are filled up to 16 pixels.
        quality: 1 to 100, (B,).

    Source: ITU-T T.81, annexes A and K; the rounding of Shin and Song, "JPEG-resistant Adversarial Images", NIPS
        workshop 2017.
    """
    height, width = picture.shape[-2:]
    filled = pad(picture, (0, -width % (2 * _SIDE), 0, -height % (2 * _SIDE)), mode="replicate")
    mixed = _mixed(255 * filled, _TO_YCC)
    small = avg_pool2d(mixed[:, 1:], 2)
    bright = _quantised(mixed[:, :1] - 128, _table(_luma(picture), quality))
    tint = _quantised(small, _table(_chroma(picture), quality))
    tint = interpolate(tint, scale_factor=2, mode="bilinear", align_corners=False)
    return _mixed(torch.cat([bright + 128, tint], 1), _TO_RGB)[..., :height, :width] / 255


def _quantised(planes: Tensor, table: Tensor) -> Tensor:
    """Planes (B,C,H,W) after the cosine coefficients of their blocks were rounded to multiples of a table (B,1,64)."""
    batch, channels, height, width = planes.shape
    waves = _waves(planes)
    step = table.expand(-1, channels, -1).reshape(batch * channels, _SIDE**2, 1, 1)
    steps = conv2d(planes.reshape(-1, 1, height, width), waves, stride=_SIDE) / step
    whole = steps.detach().round()
    kept = (whole + (steps - whole) ** 3) * step
    return conv_transpose2d(kept, waves, stride=_SIDE).view(planes.shape)


def _table(usual: Tensor, quality: Tensor) -> Tensor:
    """The steps of a quality, (B,1,64), as libjpeg scales them."""
    scale = torch.where(quality < 50, 5000 / quality, 200 - 2 * quality).floor()
    return ((usual.flatten() * scale[:, None, None] + 50) / 100).floor().clamp(1, 255)


def _waves(like: Tensor) -> Tensor:
    """The orthonormal cosine transform of a block as one picture for each coefficient, (64,1,8,8)."""
    rows = [[cos((2 * x + 1) * k * pi / 16) * (sqrt(1 / 8) if k == 0 else 0.5) for x in range(8)] for k in range(8)]
    basis = like.new_tensor(rows)
    return torch.einsum("iy,jx->ijyx", basis, basis).reshape(_SIDE**2, 1, _SIDE, _SIDE)


def _luma(like: Tensor) -> Tensor:
    return like.new_tensor(_LUMA).view(_SIDE, _SIDE)


def _chroma(like: Tensor) -> Tensor:
    return pad(like.new_tensor(_CHROMA_CORNER), (0, 4, 0, 4), value=99.0)


def _mixed(planes: Tensor, matrix: tuple[tuple[float, ...], ...]) -> Tensor:
    """Channels (B,3,H,W) mixed by a matrix."""
    mixed: Tensor = (planes.new_tensor(matrix) @ planes.flatten(2)).view(planes.shape)
    return mixed
