"""Smoothing that stops at edges: the image's own, or those of the other modality."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from kornia.filters import bilateral_blur, joint_bilateral_blur
from torch import Tensor

from rgbdsod.defenses.patch.cross.streams import MODALITIES
from rgbdsod.defenses.patch.door import check_window
from rgbdsod.defenses.patch.planes import joined, spans
from rgbdsod.defenses.patch.purifier import Defence, Filter, Purified
from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs


@dataclass(frozen=True, eq=False, kw_only=True)
class Bilateral(Filter):
    """Each pixel replaced by the mean of its window, weighted by nearness in place and in colour.

    Args:
        on: the inputs that are smoothed; None: all.
        window: side in pixels, odd.
        sigma_colour: deviation of the weight of colour, in units of the [0, 1] input, summed over the channels.
        sigma_space: of the weight of place, in pixels.

    Raises:
        UsageError: an even window, one larger than the image, or a deviation of 0 or less.

    Source: Tomasi and Manduchi, "Bilateral Filtering for Gray and Color Images", ICCV 1998.
    """

    window: int = 5
    sigma_colour: float = 0.1
    sigma_space: float = 2.0

    name: ClassVar[str] = "bilateral"

    def __post_init__(self) -> None:
        _check_smoothing(self.window, self.sigma_colour, self.sigma_space)

    def filter(self, image: Tensor) -> Tensor:
        """The smoothed image."""
        check_window(self.name, self.window, image, "pass a smaller odd window")
        size, space = (self.window, self.window), (self.sigma_space, self.sigma_space)
        parts = [image[rows] for rows in spans(image)]  # kornia looks at larger batches without a copy of each window
        return joined([bilateral_blur(part, size, self.sigma_colour, space) for part in parts])


@dataclass(frozen=True, eq=False, kw_only=True)
class JointBilateral(Defence):
    """One modality smoothed with the weights of the other: edges stay where the guide has some.

    Noise on the smoothed input is averaged away within surfaces of the guide. Noise on the guide goes through: an
    attack on the guide chooses the weights.

    Args:
        on: not used; `target` says it.
        target: what is smoothed, "depth" guided by RGB, or "rgb" guided by depth.
        window: side in pixels, odd.
        sigma_colour: deviation of the weight of the guide's values, in units of [0, 1], summed over its channels.
        sigma_space: of the weight of place, in pixels.

    Raises:
        UsageError: another target, no pair, an even window, one larger than the image, a deviation of 0 or less.

    Source: Petschnigg et al., "Digital Photography with Flash and No-Flash Image Pairs", SIGGRAPH 2004, equation 4.
    """

    target: str = "depth"
    window: int = 7
    sigma_colour: float = 0.1
    sigma_space: float = 3.0

    name: ClassVar[str] = "joint-bilateral"

    def __post_init__(self) -> None:
        if self.target not in MODALITIES:
            raise UsageError(f'target="{self.target}"; pass depth (guided by RGB) or rgb (guided by depth)')
        _check_smoothing(self.window, self.sigma_colour, self.sigma_space)

    def __call__(self, inputs: Inputs) -> Purified:
        """The batch with the target smoothed; the score is its mean absolute change."""
        guide = next(name for name in MODALITIES if name != self.target)
        images = self.images({name: inputs[name] for name in MODALITIES if name in inputs})
        if missing := [name for name in MODALITIES if name not in images]:
            raise UsageError(f'{self.name} smooths {self.target} by {guide}, and "{missing[0]}" is missing; pass both')
        image = images[self.target]
        check_window(self.name, self.window, image, "pass a smaller odd window")
        found = self._smoothed(image, images[guide])
        score = (found - image).abs().flatten(1).mean(1)
        return Purified({**inputs, self.target: found}, torch.zeros_like(image[:, :1]), score)

    def _smoothed(self, image: Tensor, guide: Tensor) -> Tensor:
        size, space = (self.window, self.window), (self.sigma_space, self.sigma_space)
        whole = image.requires_grad or guide.requires_grad
        rows = [slice(None)] if whole else spans(image)
        return joined([joint_bilateral_blur(image[one], guide[one], size, self.sigma_colour, space) for one in rows])


def _check_smoothing(window: int, sigma_colour: float, sigma_space: float) -> None:
    """Refuse what is no smoothing."""
    if window < 3 or window % 2 == 0:
        raise UsageError(f"window={window}; pass an odd number of pixels, 3 or more")
    if sigma_colour <= 0 or sigma_space <= 0:
        raise UsageError(
            f"sigma_colour={sigma_colour:g}, sigma_space={sigma_space:g}; pass deviations above 0, such as 0.1 and 2"
        )
