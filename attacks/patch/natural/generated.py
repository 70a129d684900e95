"""Patches that a network draws."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from rgbdsod.attacks.budget import Budget
from rgbdsod.attacks.patch.compose import passing
from rgbdsod.attacks.patch.natural.drawer import check_natural, load_drawer
from rgbdsod.attacks.patch.natural.family import LATENT, halfway, signed
from rgbdsod.attacks.patch.pose import Size
from rgbdsod.errors import UsageError

_REACH = 0.05 * 255 / 4  # standard deviations either way; a step of 2/255 is then the 0.05 of a search for latents


@dataclass(frozen=True, eq=False)
class PatchGenerator:
    """What a generator draws from latent vectors that are as long as those it was trained on.

    Args:
        module: takes (B, numbers), standard normal when it was trained; returns pictures (B,3,H,W) in [0, 1] of any
            size.
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

    @classmethod
    def load(cls, source: str, *, checked: bool = True, name: str = "file") -> "PatchGenerator":
        """A generator from its file, as `examples/make_naturalistic.py` writes it.

        Args:
            source: the file; "vae": the one that comes with the package.
            checked: refuse one whose pictures are farther from photographs than noisy photographs are.
            name: what the patch's facts say.

        Raises:
            WeightsError: the file is missing, damaged or something else, or its pictures are refused.
        """
        drawer = load_drawer(source)
        if checked:
            check_natural(drawer, source)
        return cls(drawer, drawer.scope.numbers, name=name)

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
    def budget(self) -> Budget:
        """The ball of the longest vectors: every step ends in it."""
        return Budget("l2", self.radius * self.numbers**0.5 / (2 * _REACH))

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
