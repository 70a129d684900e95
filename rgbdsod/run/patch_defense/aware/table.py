"""Which attacks each defence gets, by what it looks at."""

from collections.abc import Mapping

from rgbdsod.run.patch_defense.aware.beacon import BEACON
from rgbdsod.run.patch_defense.aware.even import EVEN
from rgbdsod.run.patch_defense.aware.object_ import OBJECT
from rgbdsod.run.patch_defense.aware.scores import SPSA
from rgbdsod.run.patch_defense.aware.streams import STREAMS
from rgbdsod.run.patch_defense.aware.through import BOLD, BROAD, ONWARD, THROUGH, WARM
from rgbdsod.run.patch_defense.aware.unseen import FLAT, SLIP, SMOOTH, UNSEEN
from rgbdsod.run.patch_defense.aware.variant import Variant
from rgbdsod.run.patch_defense.lineup import Entry

VARIANTS: Mapping[str, Variant] = {
    one.name: one
    for one in (THROUGH, WARM, BOLD, BROAD, UNSEEN, SLIP, FLAT, SMOOTH, EVEN, BEACON, OBJECT, STREAMS, ONWARD, SPSA)
}  # fmt: skip
"""All ways to attack, by name."""

FILTER = ("bold", "broad", "through", "warm", "onward")
LOCALISER = ("flat", "through", "unseen", "slip", "object", "onward")
"""What a defence gets that is not in `PLANS`, by whether it masks anything."""

PLANS: Mapping[str, tuple[str, ...]] = {
    "lgs": ("even", "through", "unseen", "slip", "beacon", "onward"),
    "jedi": ("even", "smooth", "flat", "through", "unseen", "slip", "object", "onward"),
    "energy": ("even", "through", "unseen", "slip", "onward"),
    "entropy": ("even", "smooth", "through", "unseen", "slip", "onward"),
    "pad-lite": ("even", "smooth", "flat", "through", "unseen", "slip", "object", "onward"),
    "sac": ("flat", "smooth", "through", "unseen", "slip", "object", "onward"),
    "patchzero": ("flat", "smooth", "through", "unseen", "slip", "object", "onward"),
    "nutnet": ("flat", "smooth", "through", "unseen", "slip", "onward"),
    "cross-gate": ("streams", "through", "unseen", "slip", "flat", "onward"),
}
"""By defence, the strongest first, since images that are broken are not attacked again."""

_COLOURS = ("even", "smooth", "beacon", "broad")
"""Variants that are about what a picture shows, of which depth alone has nothing."""


def plan(entry: Entry, modality: str, *, scores: bool) -> list[Variant]:
    """The attacks on a defence.

    Args:
        entry: the defence.
        modality: what carries the patch.
        scores: whether the search by scores is added.
    """
    if not entry.attackable:
        return []
    names = PLANS.get(entry.name, LOCALISER if entry.penalised else FILTER)
    kept = [name for name in names if not (modality == "depth" and name in _COLOURS)]
    return [VARIANTS[name] for name in (*kept, *(("spsa",) if scores else ()))]
