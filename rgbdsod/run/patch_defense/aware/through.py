"""Through the defence: its values, its gradient or that of its stand-in, and nothing else."""

from rgbdsod.run.patch_defense.aware.variant import Variant

THROUGH = Variant("through", "gradient through the defence, exact or of its stand-in")
WARM = Variant("warm", "the same, from the patch that does not know the defence", start="unaware")
BOLD = Variant("bold", "the same from a plain grey card, by larger steps", {"start": "grey", "step_size": 6 / 255})
BROAD = Variant(
    "broad",
    "the same without fine detail, which a filter would take away",
    {"natural": "lowpass", "step_size": 6 / 255},
)
ONWARD = Variant("onward", "the same, from the worst patch so far", start="worst")
