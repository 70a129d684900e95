"""Through the defence: its values, its gradient or that of its stand-in, and nothing else."""

from rgbdsod.run.patch_defense.aware.variant import Variant

THROUGH = Variant("through", "gradient through the defence, exact or of its stand-in")
WARM = Variant("warm", "the same, from the patch that does not know the defence", start="unaware")
