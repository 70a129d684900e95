"""Z-Mask: where layers of the victim are far more active than on clean images."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar, Self

import torch
from torch import Tensor

from rgbdsod.defenses.patch.features.statistics import CleanLayers
from rgbdsod.defenses.patch.features.victim import Victim, recorded
from rgbdsod.defenses.patch.localiser import MaskAndFill
from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs

_SHALLOW, _DEEP = 1, 3  # positions among the sizes of an encoder, fine to coarse


@dataclass(frozen=True, eq=False, kw_only=True)
class ZMask(MaskAndFill):
    """Pixels at which a deep layer is over-active, and a shallow one too, which has the finer outline.

    Each input is looked at by itself, the victim's other inputs grey meanwhile. The evidence is a share of clean
    quantiles, so a threshold of 1 is their union; the paper trains a small network there.

    Args:
        on: the inputs that are searched; None: the RGB image.
        threshold: of the evidence; `calibrate` sets it.
        fill: what replaces the masked pixels.
        model: the victim: a saliency network or a detector.
        clean: by input; `calibrate` sets it.

    Raises:
        UsageError: no victim, one whose encoder has fewer than three sizes, or called before calibration.

    Source: Rossolini et al., "Defending From Physically-Realizable Adversarial Attacks Through Internal
        Over-Activation Analysis", AAAI 2023, arXiv 2203.07341.
    """

    threshold: float = 1.0
    model: object = None
    clean: Mapping[str, CleanLayers] = field(default_factory=dict)

    name: ClassVar[str] = "zmask"
    sharpness: ClassVar[float] = 10.0
    published: ClassVar[bool] = False

    def in_front_of(self, victim: object) -> Self:
        """The same defence for this victim, not calibrated.

        Raises:
            UsageError: there is none, or nothing is known of its inside.
        """
        Victim(victim, self.name)
        return replace(self, model=victim, clean={})

    @torch.no_grad()
    def calibrate(self, inputs: Inputs, share: float = 0.01) -> Self:
        """The same defence with what its layers compute for clean images, and the threshold that follows.

        Args:
            inputs: clean images.
            share: of their pixels that may be masked, above 0 and below 1.

        Raises:
            UsageError: no images, a share outside, or a victim without layers to look at.
        """
        clean = {}
        for image in self.images(inputs).values():
            victim = Victim(self.model, self.name)
            layers = self._layers(victim, victim.key(image))
            clean[victim.key(image)] = CleanLayers.of(layers, _features(victim, image, layers))
        ready: Self = super(ZMask, replace(self, clean=clean)).calibrate(inputs, share)
        return ready

    def evidence(self, image: Tensor) -> Tensor:
        """The share of the clean limits that both layers reach; differentiable.

        Raises:
            UsageError: not calibrated for this input.
        """
        victim = Victim(self.model, self.name)
        clean = self.clean.get(victim.key(image))
        if clean is None:
            raise UsageError(
                f"{self.name} needs what the layers of {victim.name} are on clean images; call .calibrate(clean inputs)"
            )
        return clean.evidence(_features(victim, image, clean.layers), (image.shape[-2], image.shape[-1]))

    def _layers(self, victim: Victim, key: str) -> tuple[str, str]:
        stages = victim.stages(key)
        if len(stages) <= _SHALLOW + 1:
            raise UsageError(
                f"{self.name} needs an encoder of three sizes and more, and {victim.name} shows {len(stages)} of its "
                f'"{key}" input; leave this defence out'
            )
        return stages[_SHALLOW], stages[min(_DEEP, len(stages) - 1)]


def _features(victim: Victim, image: Tensor, layers: tuple[str, str]) -> tuple[Tensor, Tensor]:
    """What the two layers compute, with its gradient."""
    with recorded(victim.network, layers) as outputs:
        victim.run(image)
    shallow, deep = (outputs[name] for name in layers)
    return shallow, deep
