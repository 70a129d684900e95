"""Total variation denoising."""

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from rgbdsod.defenses.patch.planes import by_plane
from rgbdsod.defenses.patch.purifier import Filter
from rgbdsod.errors import UsageError

_STEP = 0.125  # one over the norm of the gradient operator


@dataclass(frozen=True, eq=False, kw_only=True)
class TotalVariation(Filter):
    """The image y that minimises 0.5 |y - x|^2 + weight TV(y), by projected gradient on the dual, per channel.

    Args:
        on: the inputs that are denoised; None: all.
        weight: of the variation, above 0.
        steps: on the dual, 1 or more.

    Raises:
        UsageError: a weight or number of steps outside.

    Source: Rudin et al., Physica D 1992; the dual: Chambolle, JMIV 2004, equation 9; as a defence: Guo et al.,
        "Countering Adversarial Images using Input Transformations", arXiv 1711.00117.
    """

    weight: float = 0.1
    steps: int = 50

    name: ClassVar[str] = "tv"

    def __post_init__(self) -> None:
        if self.weight <= 0 or self.steps < 1:
            raise UsageError(f"weight={self.weight}, steps={self.steps}; pass a weight above 0 and at least one step")

    def filter(self, image: Tensor) -> Tensor:
        """The denoised image."""
        return by_plane(image, self._denoised)

    def _denoised(self, planes: Tensor) -> Tensor:
        down, right = torch.zeros_like(planes), torch.zeros_like(planes)
        for _ in range(self.steps):
            now = planes + _divergence(down, right)
            down, right = down + _STEP * _difference(now, -2), right + _STEP * _difference(now, -1)
            scale = self.weight * torch.rsqrt((down.square() + right.square()).clamp_min(self.weight**2))
            down, right = down * scale, right * scale
        return (planes + _divergence(down, right)).clamp(0, 1)


def _difference(image: Tensor, axis: int) -> Tensor:
    """The next pixel minus this one; 0 at the end."""
    pad = (0, 0, 0, 1) if axis == -2 else (0, 1)
    return F.pad(image.diff(dim=axis), pad)


def _divergence(down: Tensor, right: Tensor) -> Tensor:
    """Minus the adjoint of the differences; the last row and column of the two are 0."""
    return down - F.pad(down, (0, 0, 1, -1)) + right - F.pad(right, (1, -1))
