"""Mask the object: the defence itself is made to hide what the victim looks for."""

from dataclasses import dataclass

from torch import Tensor

from rgbdsod.attacks.patch.objectives import mean
from rgbdsod.attacks.patch.steering import Wish
from rgbdsod.defenses import Purifier
from rgbdsod.run.patch_defense.aware.variant import Variant, Weighted
from rgbdsod.run.patch_defense.watched import Watched


@dataclass(frozen=True)
class MaskObject(Weighted):
    """The mask covers the object beside the patch."""

    def __call__(self, seen: Watched, hidden: Tensor, objects: Tensor | None, purifier: Purifier) -> Wish:
        """The share of the object that is not masked."""
        where = ~hidden if objects is None else objects & ~hidden
        return Wish(1 - mean(seen.mask, where), seen.score.new_full(seen.score.shape, self.weight).detach())


OBJECT = Variant("object", "the defence is made to mask the object", aim=MaskObject)
