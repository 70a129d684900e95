"""Scores: SPSA, for defences whose gradients lead nowhere."""

from rgbdsod.run.patch_defense.aware.variant import Variant

SPSA = Variant("spsa", "from the worst patch so far, by scores alone", {"search": "spsa"}, start="worst")
