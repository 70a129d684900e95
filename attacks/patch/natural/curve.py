"""How natural a patch still is where it is allowed to do more: a curve, never a single patch."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from rgbdsod.attacks.budget import Threat
from rgbdsod.attacks.door import check_choice, check_counts
from rgbdsod.attacks.patch.attack import adversarial_patch
from rgbdsod.attacks.patch.natural.bank import DEMO, open_bank
from rgbdsod.attacks.patch.natural.nature import appear
from rgbdsod.attacks.patch.transforms.presets import TRANSFORMS
from rgbdsod.attacks.problem import Problem
from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs

Distance = Callable[[Tensor, Tensor], float]
"""(pictures (N,3,h,w), reference (M,3,h,w)) -> how far one set is from the other."""


class NaturalPoint(NamedTuple):
    """Patches of one radius.

    Args:
        radius: of their family.
        loss: the mean objective.
        fooled: the share of pictures that they fool.
        distance: of the patches' appearances from crops of photographs.
        appearances: how many there were.
    """

    radius: float
    loss: float
    fooled: float
    distance: float
    appearances: int


def natural_curve(
    problem: Problem,
    inputs: Inputs,
    threat: Threat,
    radii: Sequence[float],
    distance: Distance,
    *,
    natural: Any = "crop",
    appearances: int = 256,
    seen: str = "print",
    **settings: Any,
) -> list[NaturalPoint]:
    """Strength against naturalness over the radius of a family of pictures.

    Each radius has its patches from the same seeds. A few patches are no distribution: each is seen under several draws
    of light, print and wear, and so are as many crops of photographs, so that the draws themselves part no set from the
    other.

    Args:
        problem: what is attacked.
        inputs: all inputs (B, ...) in [0, 1].
        threat: budgets by input, as for `adversarial_patch`.
        radii: see `natural_radius` there.
        distance: of two sets of pictures; `rgbdsod.metrics.distribution_distance` for one.
        natural: the family, "crop", "mix", "lowpass", "vae", ... or a `PatchGenerator`.
        appearances: of all patches together, at least; as many crops.
        seen: the transforms that they are seen under; of these what happens to colours.
        settings: of `adversarial_patch`.

    Raises:
        UsageError: no radii, no family, or settings that do not exist.
    """
    check_choice(TRANSFORMS, seen=seen)
    check_counts(appearances=appearances)
    if not len(radii) or natural == "none":
        raise UsageError("a curve needs radii, such as (4/255, 16/255), and a family of pictures, such as crop")
    folder, seed, points = settings.get("crops", DEMO), settings.get("seed", 0), []
    reference = torch.empty(0)
    for radius in radii:
        found = adversarial_patch(problem, inputs, threat, natural=natural, natural_radius=radius, **settings)
        shown = [patch.content for patch in found.patches if patch is not None and patch.content is not None]
        if not shown:
            raise UsageError("none of the pictures has a place for the patch; try where=random")
        looks = -(-appearances // len(shown))
        patches = appear(torch.stack(shown).repeat(looks, 1, 1, 1), TRANSFORMS[seen], seed)
        if not len(reference):
            canvas = (patches.shape[-2], patches.shape[-1])
            attacked = [inputs[name] for name in ("rgb", "image") if name in inputs]
            # Another seed than the attack's: crops that a patch began at would be no measure of it.
            crops = open_bank(folder, canvas, attacked, count=len(patches), seed=seed + 1).crops
            reference = appear(crops, TRANSFORMS[seen], seed + 1)
        at = found.placed.nonzero().flatten()
        fooled = found.fooled[at.to(found.fooled.device)].float().mean()
        loss = found.loss[at.to(found.loss.device)].mean()
        points.append(
            NaturalPoint(float(radius), float(loss), float(fooled), float(distance(patches, reference)), len(patches))
        )
    return points
