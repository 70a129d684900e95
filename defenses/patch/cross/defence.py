"""Finding a patch by the quarrel between RGB and depth: maps, their clean values, an accusation, a response."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import ClassVar, Literal, Self

import torch
from torch import Tensor
from torch.nn.functional import softplus

from rgbdsod.attacks.problem import frozen
from rgbdsod.defenses.patch.blobs import dilate, drop_small
from rgbdsod.defenses.patch.calibration import lowest_threshold, quantiles
from rgbdsod.defenses.patch.cross.streams import MODALITIES, Model, check_pair, held
from rgbdsod.defenses.patch.fills import check_fill, fill
from rgbdsod.defenses.patch.purifier import Defence, Differentiable, Purified
from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs

Accused = Literal["rgb", "depth", "both", "none"]
CLEAR = 1.5
"""How much more evidence against one modality than against the other it takes to accuse it alone."""

_SHARPNESS = 10.0  # per threshold
_TINY = 1e-12


@dataclass(frozen=True)
class Clean:
    """What a map looks like on clean images.

    Attributes:
        quantiles: 1001 evenly spaced ones of its values.
        threshold: above which a pixel is suspected.
    """

    quantiles: Tensor
    threshold: float


@dataclass(frozen=True, eq=False, kw_only=True)
class CrossDefence(Defence):
    """A defence that accuses a modality, per pixel, by a map that clean images have calibrated.

    Only the accused modality is filled. Its score is the largest value of a map over its threshold, less 1.

    Args:
        on: not used: the defence reads RGB and depth.
        model: whose opinions are compared; a `MapModel`, or a callable that returns logits (B,1,H,W).
        fill: what replaces the masked pixels.
        smallest: blobs below this share of the image are dropped.
        margin: what blobs grow by, as a share of the longer side.
        clean: by modality; `calibrate` sets it.

    Raises:
        UsageError: no such fill; called without a model or before calibration; RGB or depth missing.
    """

    model: Model | None = None
    fill: str = "inpaint"
    smallest: float = 0.003
    margin: float = 0.02
    clean: Mapping[str, Clean] = field(default_factory=dict)

    differentiable: ClassVar[Differentiable] = "bpda"

    def __post_init__(self) -> None:
        check_fill(self.fill)
        if not (0 <= self.smallest < 1 and 0 <= self.margin < 1):
            raise UsageError(f"smallest={self.smallest}, margin={self.margin}; pass shares of the image, 0 up to 1")

    @abstractmethod
    def compute(self, model: Model, inputs: Inputs) -> dict[str, Tensor]:
        """How suspect each pixel is, (B,1,H,W) from 0 up, by the modality that the map accuses: rgb, depth or both."""

    def suspected(self, excess: Tensor) -> Tensor:
        """Which pixels are masked before blobs are shaped, bool, of a map over its threshold less 1."""
        return excess > 0

    def maps(self, inputs: Inputs) -> dict[str, Tensor]:
        """The maps of a batch by modality, (B,1,H,W); differentiable."""
        images = self.images(inputs)
        check_pair(self.name, images)
        model = self._nobody if self.model is None else self.model
        with frozen(*held(self.model)):
            return self.compute(model, {name: images[name] for name in MODALITIES})

    def ranks(self, inputs: Inputs) -> dict[str, Tensor]:
        """The maps as ranks among clean values, (B,1,H,W) in [0, 1]: 1 was never seen on a clean image."""
        clean = self._calibrated()
        found = self.maps(inputs)
        return {
            key: torch.searchsorted(clean[key].quantiles.to(values), values.contiguous()) / len(clean[key].quantiles)
            for key, values in found.items()
        }

    @torch.no_grad()
    def calibrate(self, inputs: Inputs, share: float = 0.01) -> Self:
        """The same defence with what its maps are on clean images.

        Args:
            inputs: clean RGB and depth.
            share: of the pixels of each modality that may be masked, above 0 and below 1.

        Raises:
            UsageError: no images, or a share outside.
        """
        found = self.maps(inputs)
        clean = {}
        for key, values in found.items():

            def masked(threshold: float, values: Tensor = values) -> float:
                return float(self._shaped(self.suspected(values / max(threshold, _TINY) - 1)).float().mean())

            clean[key] = Clean(quantiles(values), lowest_threshold(values, masked, share))
        return replace(self, clean=clean)

    @torch.no_grad()
    def __call__(self, inputs: Inputs) -> Purified:
        """The batch with the accused pixels of the accused modality filled."""
        masks, excess = self._judged(inputs)
        return self._filled(
            inputs, masks, reduce(torch.maximum, [value.flatten(1).amax(1) for value in excess.values()])
        )

    def surrogate(self, inputs: Inputs) -> Purified:
        """The same masks with the gradient of a sigmoid; the score is the mean excess, smoothed."""
        masks, excess = self._judged(inputs)
        soft = {key: (_SHARPNESS * value).sigmoid() for key, value in excess.items()}
        joined = {key: mask + (soft[key] - soft[key].detach()) for key, mask in masks.items()}
        penalties = [softplus(_SHARPNESS * value).flatten(1).mean(1) / _SHARPNESS for value in excess.values()]
        return self._filled(inputs, joined, torch.stack(penalties).sum(0))

    @torch.no_grad()
    def accused(self, inputs: Inputs) -> list[Accused]:
        """For each image the modality that the masked pixels accuse.

        One is accused where its map, over its threshold, is larger than the other's on the masked pixels by half; else
        both are. Without masked pixels none is.
        """
        masks, excess = self._judged(inputs)
        union = reduce(torch.maximum, masks.values())
        nothing = torch.zeros(len(union), device=union.device)
        rgb, depth = (((excess[key] + 1) * union).flatten(1).sum(1) if key in excess else nothing for key in MODALITIES)
        return verdicts(rgb, depth, union.flatten(1).any(1))

    def respond(self, inputs: Inputs, masks: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The inputs that change, of masks (B,1,H,W) by the modality that they accuse; differentiable."""
        return {key: fill(inputs[key], mask, self.fill) for key, mask in masks.items()}

    def _judged(self, inputs: Inputs) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Masks as floats, and the maps over their thresholds less 1."""
        clean = self._calibrated()
        excess = {key: values / max(clean[key].threshold, _TINY) - 1 for key, values in self.maps(inputs).items()}
        return {key: self._shaped(self.suspected(value)).to(value) for key, value in excess.items()}, excess

    def _nobody(self, inputs: Inputs) -> Tensor:
        """The model that nobody passed."""
        raise UsageError(f"{self.name} compares what a model makes of each modality; pass model=...")

    def _calibrated(self) -> Mapping[str, Clean]:
        if not self.clean:
            raise UsageError(
                f"{self.name} needs what its maps are on clean images; call .calibrate(clean inputs) first"
            )
        return self.clean

    def _shaped(self, mask: Tensor) -> Tensor:
        return dilate(drop_small(mask, self.smallest), round(self.margin * max(mask.shape[-2:])))

    def _filled(self, inputs: Inputs, masks: dict[str, Tensor], score: Tensor) -> Purified:
        return Purified({**inputs, **self.respond(inputs, masks)}, reduce(torch.maximum, masks.values()), score)


def verdicts(rgb: Tensor, depth: Tensor, any_: Tensor) -> list[Accused]:
    """Who is accused, of the weight of the evidence against each modality.

    Args:
        rgb: (B,), 0 or more.
        depth: (B,), 0 or more.
        any_: bool (B,): whether anybody is.
    """
    found: list[Accused] = []
    for one, other, some in zip(rgb.tolist(), depth.tolist(), any_.tolist(), strict=True):
        culprit: Accused = "rgb" if one > CLEAR * other else "depth" if other > CLEAR * one else "both"
        found.append(culprit if some else "none")
    return found
