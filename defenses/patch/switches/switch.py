"""Defences that take a whole input for attacked, and go on without it."""

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import torch
from torch import Tensor
from torch.nn.functional import softplus

from rgbdsod.defenses.patch.calibration import lowest_threshold
from rgbdsod.defenses.patch.purifier import Defence, Differentiable, Purified
from rgbdsod.types import Inputs


@dataclass(frozen=True, eq=False, kw_only=True)
class Switch(Defence):
    """A defence that replaces an accused input by its mean, in the whole image.

    Its score is the largest accusation less the threshold: above 0 an input is dropped, the further one if several are
    accused. Its mask is then the whole image. In the surrogate inputs have the true values and the gradient of a soft
    mixture, and the score is the excess, smoothed.

    Args:
        on: not used: the defence reads RGB and depth.
        threshold: of the accusation.
    """

    threshold: float = 0.0

    differentiable: ClassVar[Differentiable] = "bpda"
    thresholded: ClassVar[bool] = True
    sharpness: ClassVar[float] = 10.0
    suspects: ClassVar[tuple[str, ...]] = ("rgb", "depth")

    @property
    def watched(self) -> tuple[str, ...]:
        """The inputs that may be dropped."""
        return self.suspects

    def instead(self, name: str, inputs: Inputs) -> Tensor:
        """What an accused input is replaced by, broadcastable to it: its mean, as modality dropout trains for."""
        return inputs[name].mean((2, 3), keepdim=True)

    @abstractmethod
    def accusations(self, inputs: Inputs) -> Tensor:
        """How suspect each of `watched` is, (B,S); differentiable."""

    @torch.no_grad()
    def __call__(self, inputs: Inputs) -> Purified:
        """The batch without what is accused."""
        self.images(inputs)
        accusations = self.accusations(inputs)
        return self._dropped(inputs, self._hard(accusations), accusations.amax(1) - self.threshold)

    def surrogate(self, inputs: Inputs) -> Purified:
        """The same choice with the gradient of a soft one; the score is the mean excess, smoothed."""
        self.images(inputs)
        accusations = self.accusations(inputs)
        excess = self.sharpness * (accusations - self.threshold)
        soft = excess.sigmoid()
        return self._dropped(
            inputs, self._hard(accusations) + (soft - soft.detach()), softplus(excess).sum(1) / self.sharpness
        )

    @torch.no_grad()
    def calibrate(self, inputs: Inputs, share: float = 0.01) -> Self:
        """The same defence with the lowest threshold that accuses at most a share of clean images.

        Args:
            inputs: clean images.
            share: of these images, above 0 and below 1; of fewer than 1 / share images, none.

        Raises:
            UsageError: no images, or a share outside.
        """
        self.images(inputs)
        worst = self.accusations(inputs).amax(1)
        threshold = lowest_threshold(worst, lambda at: float((worst > at).float().mean()), share)
        return replace(self, threshold=threshold)

    def _hard(self, accusations: Tensor) -> Tensor:
        """1 for the dropped input of each image, (B,S)."""
        worst = torch.zeros_like(accusations).scatter_(1, accusations.argmax(1, keepdim=True), 1)
        return worst * (accusations > self.threshold)

    def _dropped(self, inputs: Inputs, share: Tensor, score: Tensor) -> Purified:
        changed = {}
        for place, name in enumerate(self.watched):
            image, part = inputs[name], share[:, place, None, None, None]
            changed[name] = image + part * (self.instead(name, inputs) - image)  # bit-equal where the share is 0
        first = inputs[self.watched[0]]
        mask = share.sum(1)[:, None, None, None].expand(-1, 1, *first.shape[-2:])
        return Purified({**inputs, **changed}, mask, score)
