"""The decision over all maps: where a patch is, in which modality, and what is done about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar, Literal, Self, get_args

import torch
from torch import Tensor

from rgbdsod.defenses.patch.calibration import lowest_threshold, quantiles
from rgbdsod.defenses.patch.cross.defence import Accused, Clean, CrossDefence, verdicts
from rgbdsod.defenses.patch.cross.features import FEATURES, Instruments, instruments, rarity
from rgbdsod.defenses.patch.cross.logistic import Logistic
from rgbdsod.defenses.patch.cross.streams import MODALITIES, Model
from rgbdsod.defenses.patch.learned.weights import ASSETS
from rgbdsod.errors import UsageError, WeightsError
from rgbdsod.foreign.documents import read_json
from rgbdsod.types import Inputs

Response = Literal["inpaint-accused", "inpaint-both", "fall-back", "alarm"]

SCORE = "score"
"""The name of the decision among the clean values."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Cross(CrossDefence):
    """A logistic regression on five cross-modal maps and four baselines, each as its rarity on clean images.

    Where it sees a patch it accuses the modality whose windows act on the rest of the map (C4) as they rarely do on
    clean images. Its score is the largest log-odds over the threshold.

    Args:
        on: not used: the defence reads RGB and depth.
        model: whose opinions are compared.
        fill: what replaces the masked pixels.
        smallest: blobs below this share of the image are dropped.
        margin: what blobs grow by, as a share of the longer side.
        clean: by map; `calibrate` sets it.
        response: "inpaint-accused" fills the accused modality, "inpaint-both" both; "fall-back" does without the
            accused modality in the whole image, because a patch acts at a distance; "alarm" changes nothing.
        grid: windows of C4 each way, 2 or more.
        weights: a record of `examples/make_cross_maps.py`; None: the built-in one.

    Raises:
        UsageError: no such response or fill. WeightsError: a record that does not fit.
    """

    response: str = "inpaint-accused"
    grid: int = 7
    weights: str | Path | None = None
    decision: Logistic = field(init=False, repr=False)
    instruments: Instruments = field(init=False, repr=False)

    name: ClassVar[str] = "cross"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.response not in get_args(Response):
            raise UsageError(f'no response "{self.response}"; responses are {", ".join(get_args(Response))}')
        object.__setattr__(self, "instruments", instruments(self.grid))
        object.__setattr__(self, "decision", read_decision(self.weights))

    def compute(self, model: Model, inputs: Inputs) -> dict[str, Tensor]:
        """The maps and baselines by name."""
        return self.instruments.read(model, inputs)

    @torch.no_grad()
    def calibrate(self, inputs: Inputs, share: float = 0.01) -> Self:
        """The same defence with what each map, and then their sum, is on clean images.

        Args:
            inputs: clean RGB and depth.
            share: of the pixels that may be masked, above 0 and below 1.

        Raises:
            UsageError: no images, or a share outside.
        """
        found = self.maps(inputs)
        ready = replace(self, clean=clean_values(found, share))
        score = ready.logit(found)

        def masked(threshold: float) -> float:
            return float(self._shaped(score > threshold).float().mean())

        own = Clean(quantiles(score), lowest_threshold(score, masked, share))
        return replace(ready, clean={**ready.clean, SCORE: own})

    def logit(self, found: Mapping[str, Tensor]) -> Tensor:
        """The log-odds of a patch at each pixel, (B,1,H,W), of maps by name; differentiable."""
        clean = self._calibrated()
        return self.decision.logit({name: rarity(found[name], clean[name]) for name in FEATURES})

    def respond(self, inputs: Inputs, masks: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What the response changes."""
        if self.response == "alarm":
            return {}
        if self.response == "fall-back":
            return {key: _without(inputs[key], mask) for key, mask in masks.items()}
        if self.response == "inpaint-both":
            both = torch.maximum(masks["rgb"], masks["depth"])
            masks = dict.fromkeys(MODALITIES, both)
        return super().respond(inputs, masks)

    @torch.no_grad()
    def accused(self, inputs: Inputs) -> list[Accused]:
        """For each image the modality that the masked pixels accuse; none where there are none."""
        return self.accused_of(self.maps(inputs))

    def accused_of(self, found: Mapping[str, Tensor]) -> list[Accused]:
        """The same of maps that were read before."""
        return self._culprits(found, self._mask(found))

    def _judged(self, inputs: Inputs) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        found = self.maps(inputs)
        mask, over = self._mask(found), self._over(found)
        culprits = self._culprits(found, mask)
        masks = {}
        for key in MODALITIES:
            guilty = torch.tensor([one in (key, "both") for one in culprits], device=mask.device)
            masks[key] = (mask & guilty.view(-1, 1, 1, 1)).to(over)
        return masks, dict.fromkeys(MODALITIES, over)

    def _over(self, found: Mapping[str, Tensor]) -> Tensor:
        """The log-odds less the threshold."""
        return self.logit(found) - self._calibrated()[SCORE].threshold

    def _mask(self, found: Mapping[str, Tensor]) -> Tensor:
        return self._shaped(self._over(found) > 0)

    def _culprits(self, found: Mapping[str, Tensor], mask: Tensor) -> list[Accused]:
        return accused_by_influence(found, self._calibrated(), mask)


def accused_by_influence(found: Mapping[str, Tensor], clean: Mapping[str, Clean], mask: Tensor) -> list[Accused]:
    """For each image whose windows act more rarely on the rest of the map where it is masked.

    Rarity, and not the influence itself, since a network that leans on one modality has larger influences there.

    Args:
        found: the maps by name.
        clean: their clean values.
        mask: bool (B,1,H,W).
    """
    rgb, depth = (
        (rarity(found[name].detach(), clean[name]) * mask).flatten(1).sum(1)
        for name in ("influence rgb", "influence depth")
    )
    return verdicts(rgb, depth, mask.flatten(1).any(1))


def clean_values(found: Mapping[str, Tensor], share: float = 0.01) -> dict[str, Clean]:
    """What maps are on clean images, the threshold at a quantile.

    Args:
        found: maps of clean images by name.
        share: of the values that are above the threshold.
    """
    known = {name: quantiles(values) for name, values in found.items()}
    return {
        name: Clean(values, float(values[round((1 - share) * (len(values) - 1))])) for name, values in known.items()
    }


def read_decision(path: str | Path | None = None) -> Logistic:
    """The weights of the decision.

    Args:
        path: a JSON record; None: the built-in one.

    Raises:
        WeightsError: the file is missing, damaged, or of other maps.
    """
    file = ASSETS / "cross-decision.json" if path is None else Path(path)
    try:
        record = read_json(file)
    except (OSError, ValueError) as error:
        raise WeightsError(
            f"cross has no decision at {file}; leave weights out for the built-in one, or make one with "
            "examples/make_cross_maps.py"
        ) from error
    return Logistic.read(record, FEATURES, str(file))


def _without(image: Tensor, mask: Tensor) -> Tensor:
    """Images of which anything is masked, as their mean; differentiable in the mask."""
    any_ = mask.amax((2, 3), keepdim=True)
    return torch.where(any_ == 0, image, image + any_ * (image.mean((2, 3), keepdim=True) - image))
