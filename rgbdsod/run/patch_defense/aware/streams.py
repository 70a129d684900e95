"""Streams: what the model makes of RGB alone and of depth alone is to agree with what it makes of both."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from rgbdsod.attacks.patch.objectives import mean
from rgbdsod.attacks.patch.steering import Wish
from rgbdsod.defenses import Purifier
from rgbdsod.defenses.patch.cross.streams import by_replacement
from rgbdsod.run.patch_defense.aware.variant import Variant, Weighted
from rgbdsod.run.patch_defense.watched import Watched


@dataclass(frozen=True)
class Streams(Weighted):
    """The object vanishes from the map of each input alone too, so that none of the three stands alone."""

    def __call__(self, seen: Watched, hidden: Tensor, objects: Tensor | None, purifier: Purifier) -> Wish:
        """How much of the object the two maps still show."""
        model: Any = getattr(purifier, "model", None)  # which defences have that compare maps
        maps = by_replacement(model, seen.inputs)
        where = ~hidden if objects is None else objects & ~hidden
        shown = mean(maps.rgb, where) + mean(maps.depth, where)
        return Wish(shown, shown.new_full(shown.shape, self.weight).detach())


STREAMS = Variant("streams", "the maps of RGB alone and of depth alone are attacked too", aim=Streams)
