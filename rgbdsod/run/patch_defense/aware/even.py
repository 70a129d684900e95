"""Even: colours of one luminance, which edges and entropies of grey pictures do not see."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from rgbdsod.attacks.patch.natural.family import LATENT, WHOLE, halfway
from rgbdsod.attacks.patch.pose import Size
from rgbdsod.run.patch_defense.aware.unseen import FIRMLY, Unseen
from rgbdsod.run.patch_defense.aware.variant import Variant

_LUMA = (0.299, 0.587, 0.114)
_TINY = 1e-6


@dataclass(frozen=True)
class Even:
    """Any hue and saturation that fit one luminance, which is sought too.

    A colour beyond the cube is drawn towards the grey of its luminance until it fits.

    Source: own; the luminance is ITU-R BT.601's, as in the defences that look at grey pictures.
    """

    radius: float = 1.0
    name = "even"
    variable = LATENT
    budget = WHOLE
    modules: ClassVar[tuple[nn.Module, ...]] = ()

    def centre(self, ids: Sequence[str], like: Tensor, canvas: Size) -> Tensor:
        """Grey."""
        return halfway(ids, like, 3 * canvas[0] * canvas[1] + 1)

    def colours(self, values: Tensor, canvas: Size) -> Tensor:
        """The colours, all of one luminance but for rounding."""
        level, wanted = values[:, 0, -1].view(-1, 1, 1, 1), values[:, 0, :-1].view(len(values), 3, *canvas)
        luma = wanted.new_tensor(_LUMA).view(1, 3, 1, 1)
        chroma = 2 * (wanted - (luma * wanted).sum(1, keepdim=True))
        room = torch.where(chroma > 0, (1 - level) / chroma.clamp_min(_TINY), level / (-chroma).clamp_min(_TINY))
        return (level + chroma * room.amin(1, keepdim=True).clamp_max(1)).clamp(0, 1)


EVEN = Variant(
    "even", "colours of one luminance: no edge and no entropy in grey", {"natural": Even(), "step_size": 8 / 255},
    aim=Unseen, weights=FIRMLY,
)  # fmt: skip
