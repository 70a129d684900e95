"""Defences that find the patch first: evidence per pixel, a threshold, a shape, a response."""

from abc import abstractmethod
from dataclasses import dataclass, replace
from functools import reduce
from typing import ClassVar, Self

import torch
from torch import Tensor
from torch.nn.functional import softplus

from rgbdsod.defenses.patch.calibration import lowest_threshold
from rgbdsod.defenses.patch.fills import check_fill, fill
from rgbdsod.defenses.patch.purifier import Defence, Differentiable, Purified
from rgbdsod.types import Inputs


@dataclass(frozen=True, eq=False, kw_only=True)
class Localiser(Defence):
    """A defence that masks where its evidence exceeds a threshold.

    Its score is the largest evidence of an image less the threshold: above 0 something was flagged. In the surrogate
    the mask has the true values and the gradient of a sigmoid, and the score is the mean excess, smoothed.

    Args:
        on: the inputs that are searched, each by itself; None: the RGB image.
        threshold: of the evidence.
    """

    threshold: float = 0.0

    differentiable: ClassVar[Differentiable] = "bpda"
    colour_only: ClassVar[bool] = True
    sharpness: ClassVar[float] = 50.0

    @abstractmethod
    def evidence(self, image: Tensor) -> Tensor:
        """How much each pixel looks like a patch, (B,1,H,W), of one input."""

    def soft_evidence(self, image: Tensor) -> Tensor:
        """The same values with a gradient."""
        return self.evidence(image)

    def shape(self, mask: Tensor, image: Tensor) -> Tensor:
        """What becomes of the pixels above the threshold, bool (B,1,H,W): blobs dropped, holes filled."""
        return mask

    @abstractmethod
    def respond(self, image: Tensor, mask: Tensor) -> Tensor:
        """The image with the masked pixels (B,1,H,W) in [0, 1] made harmless; differentiable in both."""

    def __call__(self, inputs: Inputs) -> Purified:
        """The purified batch."""
        images = self.images(inputs)
        with torch.no_grad():
            found = {key: self.evidence(image) for key, image in images.items()}
            masks = {key: self._mask(found[key], image).to(image) for key, image in images.items()}
        scores = [evidence.flatten(1).amax(1) - self.threshold for evidence in found.values()]
        return self._purified(inputs, images, masks, reduce(torch.maximum, scores))

    def surrogate(self, inputs: Inputs) -> Purified:
        """The same masks with a gradient, and the penalty as the score."""
        images = self.images(inputs)
        masks, scores = {}, []
        for key, image in images.items():
            excess = self.sharpness * (self.soft_evidence(image) - self.threshold)
            soft = excess.sigmoid()
            masks[key] = self._mask(excess.detach() / self.sharpness + self.threshold, image).to(image)
            masks[key] = masks[key] + (soft - soft.detach())
            scores.append(softplus(excess).flatten(1).mean(1) / self.sharpness)
        return self._purified(inputs, images, masks, reduce(torch.maximum, scores))

    @torch.no_grad()
    def calibrate(self, inputs: Inputs, share: float = 0.01) -> Self:
        """The same defence with the lowest threshold that masks at most a share of the clean pixels.

        What is counted are the final masks, with blobs dropped and holes filled.

        Args:
            inputs: clean images.
            share: of the pixels of all these images, above 0 and below 1.

        Raises:
            UsageError: no images, or a share outside.
        """
        images = self.images(inputs)
        found = {key: self.evidence(image) for key, image in images.items()}

        def masked(threshold: float) -> float:
            other = replace(self, threshold=threshold)
            masks = [other._mask(found[key], image).float().mean() for key, image in images.items()]
            return float(torch.stack(masks).mean())

        evidence = torch.cat([values.flatten() for values in found.values()])
        return replace(self, threshold=lowest_threshold(evidence, masked, share))

    def _mask(self, evidence: Tensor, image: Tensor) -> Tensor:
        return self.shape(evidence > self.threshold, image.detach())

    def _purified(self, inputs: Inputs, images: dict[str, Tensor], masks: dict[str, Tensor], score: Tensor) -> Purified:
        changed = {key: self.respond(image, masks[key]) for key, image in images.items()}
        return Purified({**inputs, **changed}, reduce(torch.maximum, masks.values()), score)


@dataclass(frozen=True, eq=False, kw_only=True)
class MaskAndFill(Localiser):
    """A localiser whose response is a fill.

    Args:
        on: the inputs that are searched, each by itself; None: the RGB image.
        threshold: of the evidence.
        fill: what replaces the masked pixels: mean, grey, black, inpaint or blur.

    Raises:
        UsageError: no such fill.
    """

    fill: str = "inpaint"

    def __post_init__(self) -> None:
        check_fill(self.fill)

    def respond(self, image: Tensor, mask: Tensor) -> Tensor:
        """The filled image."""
        return fill(image, mask, self.fill)
