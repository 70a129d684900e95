"""One batch under every patch, every sticker, and every patch that knows a map."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

from rgbdsod.attacks import Budget, PatchResult, Problem, adversarial_patch
from rgbdsod.attacks.randomness import stream
from rgbdsod.defenses.patch.cross.surface import residual
from rgbdsod.defenses.patch.cross.verdict import Cross
from rgbdsod.run.patch_defense.choice import PatchChoice
from rgbdsod.run.patch_defense.controls import Donor, control_inputs
from rgbdsod.run.patch_defense.saliency import SaliencySubject
from rgbdsod.run.patch_maps.columns import CONTROLS, FAMILIES, NOISY, Family
from rgbdsod.run.patch_maps.hushed import Hushed, Price, influential, shown

INFLUENCE = "influence"
"""The map whose knowing patches every other map reads too."""

AWARE: Mapping[str, str] = {
    "gate": "gate rgb", "translation": "translation", INFLUENCE: "influence rgb", "outline": "outline rgb",
    "energy": "energy", "entropy": "entropy", "autoencoder": "autoencoder",
}  # fmt: skip
"""What patches in RGB can know: maps and baselines, and the feature that they keep low."""

_GRIDS = {"depth": 65535}


class Laid(NamedTuple):
    """Images under patches.

    Args:
        inputs: all inputs.
        mask: where the patches are, bool (B,1,H,W).
    """

    inputs: dict[str, Tensor]
    mask: Tensor


@dataclass(frozen=True, eq=False)
class Gallery:
    """What is laid on a batch.

    Args:
        subject: images and victim.
        cross: the calibrated decision, with its maps and their clean values.
        patch: size, place and steps.
        donor: of natural crops.
        seed: of everything random.
    """

    subject: SaliencySubject
    cross: Cross
    patch: PatchChoice
    donor: Donor
    seed: int

    def unaware(self) -> tuple[dict[str, Laid], Tensor]:
        """Patches by family and stickers by control, and which images have a place for them, bool (B,)."""
        results = {name: self._sought(self.subject.problem, family) for name, family in FAMILIES.items()}
        found = {name: Laid(result.inputs, result.mask) for name, result in results.items()}
        for name, (family, control) in CONTROLS.items():
            found[name] = Laid(self._control(results[family], FAMILIES[family], control), results[family].mask)
        joint = found["joint plane"]
        found[NOISY] = Laid({**joint.inputs, "depth": self._noisy(joint)}, joint.mask)
        return found, torch.stack([result.placed for result in results.values()]).all(0)

    def aware(self, name: str, weight: float) -> Laid:
        """Patches in RGB that keep a map low.

        Args:
            name: of `AWARE`.
            weight: of the map.
        """
        problem = Hushed(self.subject.problem, self._price(name), weight, self.subject.ids)
        result = self._sought(cast(Problem, problem), FAMILIES["rgb noise"])
        return Laid(result.inputs, result.mask)

    def _price(self, name: str) -> Price:
        clean = self.cross.clean[AWARE[name]]
        model = self.cross.model
        if model is None:
            raise RuntimeError("the decision of a gallery has its model")
        if name == INFLUENCE:
            return influential(model, self.cross.grid, clean.threshold, self.seed)
        tools = self.cross.instruments
        if name in tools.maps:
            key = "depth" if AWARE[name] == name else "rgb"
            return shown(lambda inputs: tools.maps[name].compute(model, inputs)[key], clean.threshold)
        baseline, key = tools.baselines[name]
        return shown(lambda inputs: baseline.soft_evidence(inputs[key]), clean.threshold)

    def _sought(self, problem: Problem, family: Family) -> PatchResult:
        threat = {name: Budget(eps=1.0, levels=_GRIDS.get(name, 255)) for name in family.inputs}
        settings: dict[str, Any] = {**self.patch.parameters(), "step_size": 8 / 255, **family.settings}
        return adversarial_patch(
            problem, self.subject.inputs, threat, **settings, seed=self.seed, sample_ids=list(self.subject.ids)
        )

    def _control(self, result: PatchResult, family: Family, control: str) -> dict[str, Tensor]:
        choice = replace(self.patch, modality=family.modality)
        made = control_inputs(self.subject.inputs, result, self.subject.ids, choice, seed=self.seed, donor=self.donor)
        return made[control]

    def _noisy(self, joint: Laid) -> Tensor:
        """Depth with the noise of each image's sensor on the card: the median residual of its own surfaces."""
        depth, clean = joint.inputs["depth"], self.subject.inputs["depth"]
        deviation = residual(clean, _odd(clean)).flatten(1).median(1).values.view(-1, 1, 1, 1)
        noise = torch.cat(
            [torch.randn(1, *depth.shape[1:], generator=stream(self.seed, one, NOISY)) for one in self.subject.ids]
        )
        return torch.where(joint.mask, (depth + deviation * noise.to(depth)).clamp(0, 1), depth)


def _odd(depth: Tensor) -> int:
    """The side of the windows in which the noise is measured."""
    return max(2 * (round(0.08 * max(depth.shape[-2:])) // 2) + 1, 3)
