"""Directions in which a patch is tried out when only scores are known."""

from torch import Tensor
from torch.nn.functional import interpolate

from rgbdsod.attacks.blackbox.differences import signs
from rgbdsod.attacks.randomness import Streams

GRID = 16
"""Squares of a patch each way that change together: fewer numbers make a better guess of the gradient."""


def coarse_signs(streams: Streams, like: Tensor) -> Tensor:
    """A random sign for each square of a 16 x 16 grid and each channel; for numbers, one each."""
    if like.ndim < 4:
        return signs(streams, like)
    return interpolate(signs(streams, like[..., :GRID, :GRID]), like.shape[-2:], mode="nearest")
