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
from rgbdsod.defenses.patch.planes import joined, portions
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
    thresholded: ClassVar[bool] = True
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

    def look(self, image: Tensor, *, soft: bool) -> tuple[Tensor, Tensor]:
        """The evidence, soft or not, and what the response needs besides: by default the image."""
        return (self.soft_evidence(image) if soft else self.evidence(image)), image

    @abstractmethod
    def respond(self, image: Tensor, mask: Tensor, seen: Tensor) -> Tensor:
        """The image with the masked pixels (B,1,H,W) in [0, 1] made harmless; differentiable.

        Args:
            image: (B,C,H,W).
            mask: (B,1,H,W).
            seen: what `look` returned besides.
        """

    @torch.no_grad()
    def __call__(self, inputs: Inputs) -> Purified:
        """The purified batch."""
        images = self.images(inputs)
        found = {key: self.located(image) for key, image in images.items()}
        changed = {key: columns[0] for key, columns in found.items()}
        mask, score = (reduce(torch.maximum, [columns[at] for columns in found.values()]) for at in (1, 2))
        return Purified({**inputs, **changed}, mask, score)

    def surrogate(self, inputs: Inputs) -> Purified:
        """The same masks with a gradient, and the penalty as the score."""
        images = self.images(inputs)
        changed, masks, scores = {}, [], []
        for key, image in images.items():
            evidence, seen = self.look(image, soft=True)
            excess = self.sharpness * (evidence - self.threshold)
            soft = excess.sigmoid()
            masks.append(self._mask(evidence.detach(), image).to(image) + (soft - soft.detach()))
            changed[key] = self.respond(image, masks[-1], seen)
            scores.append(softplus(excess).flatten(1).mean(1) / self.sharpness)
        return Purified({**inputs, **changed}, reduce(torch.maximum, masks), reduce(torch.maximum, scores))

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
            masks = [self.shape(found[key] > threshold, image).float().mean() for key, image in images.items()]
            return float(torch.stack(masks).mean())

        evidence = torch.cat([values.flatten() for values in found.values()])
        return replace(self, threshold=lowest_threshold(evidence, masked, share))

    def located(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """One input purified, its mask and its score; not differentiable."""
        parts = [self._part(portion) for portion in portions(image)]
        changed, mask, score = (joined(column) for column in zip(*parts, strict=True))
        return changed, mask, score

    def _part(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        evidence, seen = self.look(image, soft=False)
        mask = self._mask(evidence, image).to(image)
        return self.respond(image, mask, seen), mask, evidence.flatten(1).amax(1) - self.threshold

    def _mask(self, evidence: Tensor, image: Tensor) -> Tensor:
        return self.shape(evidence > self.threshold, image.detach())


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

    def respond(self, image: Tensor, mask: Tensor, seen: Tensor) -> Tensor:
        """The filled image."""
        return fill(image, mask, self.fill)
