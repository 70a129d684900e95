"""Unseen: the defence's score is kept low as long as any of the patch is masked."""

from dataclasses import dataclass

from torch import Tensor

from rgbdsod.attacks.patch.steering import Wish
from rgbdsod.defenses import Purifier
from rgbdsod.run.patch_defense.aware.variant import Variant, Weighted
from rgbdsod.run.patch_defense.watched import Watched

_REST = 0.02
"""Of the weight is left while nothing is masked: it keeps some distance from the threshold."""

FIRMLY = (10.0,)
"""The weight where there is no sweep: what is masked harms nobody, so a patch hides first."""


@dataclass(frozen=True)
class Unseen(Weighted):
    """A low score; with all its weight where the patch is masked, else with little."""

    def __call__(self, seen: Watched, hidden: Tensor, objects: Tensor | None, purifier: Purifier) -> Wish:
        """The score."""
        masked = ((seen.mask.detach() >= 0.5) & hidden).flatten(1).any(1).to(seen.score)
        return Wish(seen.score, self.weight * (_REST + (1 - _REST) * masked))


UNSEEN = Variant("unseen", "the defence's score kept low", aim=Unseen, weights=())
SLIP = Variant(
    "slip", "the same, from the patch that does not know the defence", aim=Unseen, weights=FIRMLY, start="unaware"
)
FLAT = Variant(
    "flat", "from a plain grey card, which no localiser masks, by larger steps",
    {"start": "grey", "step_size": 4 / 255}, aim=Unseen, weights=(1.0, *FIRMLY),
)  # fmt: skip
SMOOTH = Variant(
    "smooth",
    "without fine detail: low entropy, few edges",
    {"natural": "lowpass", "step_size": 6 / 255},
    aim=Unseen,
    weights=FIRMLY,
)
