"""Total variation denoising."""

from dataclasses import dataclass
from typing import ClassVar

import torch
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
        down, right = torch.zeros_like(planes), torch.zeros_like(planes)  # the dual over the weight: at most 1 long
        for _ in range(self.steps):
            now = planes + self.weight * _divergence(down, right)
            # In place: sums keep nothing that differentiation would need.
            down[..., :-1, :].add_(now.diff(dim=-2), alpha=_STEP / self.weight)
            right[..., :-1].add_(now.diff(dim=-1), alpha=_STEP / self.weight)
            scale = torch.addcmul(down * down, right, right).clamp_min(1).rsqrt()
            down, right = down * scale, right * scale
        return (planes + self.weight * _divergence(down, right)).clamp(0, 1)


def _divergence(down: Tensor, right: Tensor) -> Tensor:
    """Minus the adjoint of the differences; the last row of one and the last column of the other are 0."""
    found = down + right
    found[..., 1:, :] -= down[..., :-1, :]
    found[..., 1:] -= right[..., :-1]
    return found
