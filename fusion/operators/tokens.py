"""Feature maps as rows of tokens, which is how attention reads them."""

import torch
from torch import Tensor

_LONGEST = 10000.0  # wavelength of the slowest position code, in tokens


def to_tokens(x: Tensor) -> Tensor:
    """(B,C,H,W) as (B,HW,C), row by row."""
    return x.flatten(2).transpose(1, 2)


def to_map(tokens: Tensor, like: Tensor) -> Tensor:
    """(B,HW,C) as (B,C,H,W) with the height and width of `like`."""
    return tokens.transpose(1, 2).reshape(len(tokens), -1, *like.shape[-2:])


def positions(like: Tensor, width: int) -> Tensor:
    """Fixed codes of places: sines and cosines of row and column, for maps of any size.

    Args:
        like: a map (B,C,H,W), for its size, type and device.
        width: channels of the codes, a multiple of 4.

    Returns:
        (HW, width).

    Source:
        Vaswani et al., "Attention Is All You Need" (NeurIPS 2017), section 3.5, for rows and columns.
    """
    steps = torch.arange(width // 4, device=like.device, dtype=torch.float32)
    speed = _LONGEST ** (-4 * steps / width)
    rows, columns = (torch.arange(side, device=like.device)[:, None] * speed for side in like.shape[-2:])
    height, length = like.shape[-2:]
    by_row = torch.cat([rows.sin(), rows.cos()], dim=1)[:, None].expand(height, length, -1)
    by_column = torch.cat([columns.sin(), columns.cos()], dim=1)[None].expand(height, length, -1)
    return torch.cat([by_row, by_column], dim=2).flatten(0, 1).to(like.dtype)


def fitting_width(width: int, most: int, heads: int) -> int:
    """The width inside attention: at most `most`, for narrow maps their own, a multiple of 4 for each head."""
    step = 4 * heads
    return max(step, min(width, most) // step * step)
