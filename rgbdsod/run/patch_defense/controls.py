"""What must be weaker than an attack: at the same place a grey card, noise, a natural crop, the patch shuffled."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from rgbdsod.attacks import Patch, PatchResult, apply_patch
from rgbdsod.attacks.patch.controls import PIXELS
from rgbdsod.attacks.patch.inverse_depth import DepthKind
from rgbdsod.run.patch.controls import Elsewhere, controls_of
from rgbdsod.run.patch_defense.choice import PatchChoice
from rgbdsod.types import Inputs

CONTROLS = ("grey", "noise", "crop", "shuffled")

Donor = Callable[[str], Tensor]
"""From a sample's id to another picture (3,H,W) in [0, 1], of which natural crops are windows."""


def control_inputs(
    inputs: Inputs, result: PatchResult, ids: Sequence[str], choice: PatchChoice, *, seed: int, donor: Donor
) -> dict[str, dict[str, Tensor]]:
    """The images by control, which lies at the places of each patch; images without a patch as they are.

    Args:
        inputs: the clean images.
        result: the patches.
        ids: of the samples.
        choice: what the patches are.
        seed: with an id it decides noise, windows and shuffling.
        donor: of natural crops.
    """
    kind, made = DepthKind.parse(choice.depth_kind), names_for(choice)
    rows: dict[str, list[Mapping[str, Tensor]]] = {name: [] for name in made}
    for row, (sample, patch) in enumerate(zip(ids, result.patches, strict=True)):
        own = {key: value[row : row + 1] for key, value in inputs.items()}
        cards = {} if patch is None else controls_of(patch, Elsewhere(donor(sample)), seed, sample)
        for name in made:
            rows[name].append(_laid(own, cards[name], patch.facts["places"], kind) if patch and name in cards else own)
    return {name: {key: torch.cat([own[key] for own in found]) for key in inputs} for name, found in rows.items()}


def _laid(inputs: Inputs, card: Patch, places: Sequence[list[list[float]]], kind: DepthKind) -> Inputs:
    """One image with a card at each place of its patch."""
    device = next(iter(inputs.values())).device
    for place in places:
        inputs = apply_patch(inputs, card, torch.tensor([place], dtype=torch.float64, device=device), kind=kind).inputs
    return inputs


def names_for(choice: PatchChoice) -> tuple[str, ...]:
    """The controls that differ from a patch: a bare card of depth has no picture to crop or to shuffle."""
    bare = choice.modality == "depth" and choice.depth_mode not in ("relief", "free")
    return tuple(name for name in CONTROLS if not (bare and name in PIXELS))
