"""Patches without fine detail."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import pi
from typing import ClassVar

import torch
from torch import Tensor, nn

from rgbdsod.attacks.patch.natural.family import LATENT, WHOLE, halfway, signed
from rgbdsod.attacks.patch.pose import Size


@dataclass(frozen=True)
class Lowpass:
    """Sums of cosines below a frequency.

    A sum that would leave [0, 1] is scaled back as a whole: clipping it would bring back the frequencies that the
    family leaves out.

    Args:
        radius: the highest frequency, as a share of Nyquist's.
    """

    radius: float = 1 / 8
    name = "lowpass"
    variable = LATENT
    budget = WHOLE
    modules: ClassVar[tuple[nn.Module, ...]] = ()

    def centre(self, ids: Sequence[str], like: Tensor, canvas: Size) -> Tensor:
        """Grey."""
        return halfway(ids, like, 3 * len(_frequencies(canvas, self.radius)))

    def colours(self, values: Tensor, canvas: Size) -> Tensor:
        """The sums."""
        kept = _frequencies(canvas, self.radius).to(values.device)
        down, across = (_waves(kept[:, axis], side).to(values) for axis, side in enumerate(canvas))
        weights = signed(values).view(len(values), 3, len(kept))
        field = torch.einsum("bck,kh,kw->bchw", weights, down, across) / 2
        peak = field.abs().flatten(1).amax(1).clamp_min(0.5)
        return 0.5 + field * (0.5 / peak).view(-1, 1, 1, 1)


def _frequencies(canvas: Size, radius: float) -> Tensor:
    """Half waves per side, down and across, (k,2); those of the DCT of type II below the radius, a constant first."""
    down, across = torch.meshgrid(*(torch.arange(side) / side for side in canvas), indexing="ij")
    return (torch.hypot(down, across) <= radius).nonzero()


def _waves(frequencies: Tensor, side: int) -> Tensor:
    """Cosines (k,side) at the pixels' centres."""
    places = (torch.arange(side, dtype=torch.float64, device=frequencies.device) + 0.5) / side
    return torch.cos(pi * places * frequencies[:, None])
