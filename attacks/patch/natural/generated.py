"""Patches that a network draws."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from rgbdsod.attacks.patch.compose import passing
from rgbdsod.attacks.patch.natural.family import LATENT, halfway, signed
from rgbdsod.attacks.patch.pose import Size
from rgbdsod.errors import UsageError

_REACH = 3.0  # standard deviations that a latent number may go either way


@dataclass(frozen=True, eq=False)
class PatchGenerator:
    """What a generator draws from latent vectors that are as long as those it was trained on.

    Args:
        module: takes (B, numbers), standard normal when it was trained; returns pictures (B,3,H,W) in [0, 1] of any
            size. Read your file into it yourself.
        numbers: of a latent vector.
        radius: a vector longer than so many times the root of `numbers` is shortened to it.
        name: what the patch's facts say.

    Raises:
        UsageError: the module returns no such pictures.

    Source: latent search after Hu et al., "Naturalistic Physical Adversarial Patch for Object Detectors", ICCV 2021.
    """

    module: nn.Module
    numbers: int
    radius: float = 1.0
    name: str = "generator"
    variable = LATENT
    reach = 0.5

    def __post_init__(self) -> None:
        weight = next(self.module.parameters(), torch.empty(0))
        training = self.module.training
        with torch.no_grad():
            found = self.module.eval()(weight.new_zeros(1, self.numbers))
        self.module.train(training)
        shape = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
        if not isinstance(found, Tensor) or found.ndim != 4 or found.shape[:2] != (1, 3):
            raise UsageError(
                f"the generator returned {shape} for one vector; a picture (1,3,H,W) in [0, 1] is expected"
            )
        if not bool(((found >= 0) & (found <= 1)).all()):
            raise UsageError(
                f"the generator's values run from {found.min():.3g} to {found.max():.3g}; end it in [0, 1]"
            )

    @property
    def modules(self) -> tuple[nn.Module, ...]:
        """The generator."""
        return (self.module,)

    def centre(self, ids: Sequence[str], like: Tensor, canvas: Size) -> Tensor:
        """The vector of zeros."""
        return halfway(ids, like, self.numbers)

    def colours(self, values: Tensor, canvas: Size) -> Tensor:
        """What it draws, at the patch's size."""
        vectors, longest = _REACH * signed(values), self.radius * self.numbers**0.5
        length = vectors.norm(dim=1, keepdim=True).clamp_min(longest)
        drawn: Tensor = self.module(vectors * (longest / length))
        if tuple(drawn.shape[-2:]) != tuple(canvas):
            drawn = interpolate(drawn, canvas, mode="bilinear", align_corners=False, antialias=True)
        return passing(drawn)
