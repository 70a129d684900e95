"""What a printer can do: smooth areas, and colours near those that it has."""

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from rgbdsod.attacks.patch.pose import Size

_TEMPERATURE = 0.02  # of the soft minimum over the palette, in units of colour
_LEVELS, _GREYS = (0.08, 0.5, 0.92), (0.2, 0.35, 0.65, 0.8, 0.95)


def usual_palette() -> Tensor:
    """Our own palette (32,3): three levels of each colour, and five greys. For real use measure a printer's."""
    grid = torch.cartesian_prod(*[torch.tensor(_LEVELS)] * 3)
    return torch.cat([grid, torch.tensor(_GREYS)[:, None].expand(-1, 3)])


def total_variation(colours: Tensor, span: Size | None = None) -> Tensor:
    """The mean length (B,) of the step from a pixel to its neighbours on the right and below.

    Args:
        colours: (B,C,h,w).
        span: rows and columns that the patch takes in the image, at which it is measured; None: as it is.
    """
    if span is not None and span != tuple(colours.shape[-2:]):
        colours = interpolate(colours, span, mode="bilinear", align_corners=False)
    if min(colours.shape[-2:]) < 2:
        return colours.flatten(1).sum(1) * 0
    across = colours[..., :-1, 1:] - colours[..., :-1, :-1]
    down = colours[..., 1:, :-1] - colours[..., :-1, :-1]
    return (across.square() + down.square() + 1e-6).sqrt().flatten(1).mean(1)


def unprintable(colours: Tensor, palette: Tensor | None = None) -> Tensor:
    """The mean distance (B,) of a patch's pixels to the nearest colour of a palette, by a soft minimum.

    Args:
        colours: (B,3,h,w).
        palette: (N,3) in [0, 1]; None: `usual_palette`.

    Source: after Sharif et al., "Accessorize to a Crime", CCS 2016, equation 4, whose product of distances is here a
    soft minimum.
    """
    inks = (usual_palette() if palette is None else palette).to(colours)
    flat = colours.flatten(2)
    product = inks @ flat  # (B,N,h w): the squares multiplied out, so that no difference is kept for each channel
    square = flat.square().sum(1, keepdim=True) + inks.square().sum(1)[:, None] - 2 * product
    distance = (square.clamp_min(0) + 1e-8).sqrt()
    nearest = -_TEMPERATURE * torch.logsumexp(-distance / _TEMPERATURE, 1)
    return nearest.flatten(1).mean(1)
