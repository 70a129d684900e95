"""What is laid on the images: patches of several families, and stickers that are no attack."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Modality = Literal["rgb", "depth", "both"]

COARSE = 5
"""Pixels each way of a smooth patch's own picture."""


@dataclass(frozen=True)
class Family:
    """Patches that were optimised.

    Args:
        name: of the column.
        modality: what carries them, and what should be accused.
        settings: of `rgbdsod.attacks.adversarial_patch`.
    """

    name: str
    modality: Modality
    settings: Mapping[str, Any]

    @property
    def inputs(self) -> tuple[str, ...]:
        """The inputs that change."""
        return ("rgb", "depth") if self.modality == "both" else (self.modality,)


FAMILIES: Mapping[str, Family] = {
    family.name: family
    for family in (
        Family("rgb noise", "rgb", {}),
        Family("rgb smooth", "rgb", {"canvas": COARSE}),
        Family("joint plane", "both", {"canvas": COARSE, "depth_mode": "plane"}),
        Family("depth", "depth", {"depth_mode": "free"}),  # no card could have it: digital only
    )
}
"""The attacks, by name."""

STICKER = "sticker"
CONTROLS: Mapping[str, tuple[str, str]] = {
    STICKER: ("rgb smooth", "noise"),
    "crop": ("rgb noise", "crop"),
    "card": ("joint plane", "grey"),
}
"""What is no attack: the family whose places it takes, and the control of it. A smooth sticker, a piece of another
photograph, a grey card in front of the scene."""

NOISY = "noisy card"
"""The joint patches with the sensor's noise on the card."""
