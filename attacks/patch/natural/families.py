"""Which family a user means."""

from collections.abc import Callable
from dataclasses import replace

from rgbdsod.attacks.patch.natural.bank import Bank
from rgbdsod.attacks.patch.natural.crop import Crop
from rgbdsod.attacks.patch.natural.family import Family, Free
from rgbdsod.attacks.patch.natural.generated import PatchGenerator
from rgbdsod.attacks.patch.natural.lowpass import Lowpass
from rgbdsod.attacks.patch.natural.mix import Mix
from rgbdsod.errors import UsageError

_OF_CROPS: dict[str, Callable[[Bank], Crop | Mix]] = {"crop": Crop, "mix": Mix}
NATURAL = ("none", *_OF_CROPS, "lowpass")


def family_of(natural: str | PatchGenerator, radius: float | None, bank: Bank | None) -> Family:
    """The family of a name, or of a generator.

    Args:
        natural: one of `NATURAL`, or a generator.
        radius: how far it reaches; None: its own.
        bank: of crops, for families of photographs.

    Raises:
        UsageError: a radius that the family cannot have.
    """
    if natural == "none":
        return Free()
    if isinstance(natural, str) and natural in _OF_CROPS:
        if bank is None:
            raise UsageError(f"natural={natural} is made of photographs; pass a bank of crops")
        found: Crop | Mix | Lowpass | PatchGenerator = _OF_CROPS[natural](bank)
    else:
        found = Lowpass() if isinstance(natural, str) else natural
    if radius is None:
        return found
    if radius > 1 and isinstance(found, Crop | Lowpass):
        unit = "colours" if isinstance(found, Crop) else "frequency of Nyquist"
        raise UsageError(f"--natural-radius {radius:g}: pass at most 1, the whole range of {unit}")
    return replace(found, radius=radius)
