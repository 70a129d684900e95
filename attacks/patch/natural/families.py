"""Which family a user means."""

from collections.abc import Callable
from dataclasses import replace

from rgbdsod.attacks.patch.natural.bank import Bank
from rgbdsod.attacks.patch.natural.crop import Crop
from rgbdsod.attacks.patch.natural.drawer import BUILT_IN
from rgbdsod.attacks.patch.natural.family import Family, Free
from rgbdsod.attacks.patch.natural.generated import PatchGenerator
from rgbdsod.attacks.patch.natural.lowpass import Lowpass
from rgbdsod.attacks.patch.natural.mix import Mix
from rgbdsod.errors import UsageError

_FILES = ("file", "drawn")
_OF_CROPS: dict[str, Callable[[Bank], Crop | Mix]] = {"crop": Crop, "mix": Mix}
NATURAL = ("none", *_OF_CROPS, "lowpass", BUILT_IN, *_FILES)
"""Families by name; "file" is a generator whose pictures are near photographs, "drawn" any generator."""


_FARTHEST = 3.0  # beyond it no vector lies that a generator was trained on


def usual_radius(natural: str) -> float | None:
    """How far a family reaches where nobody says; None for those that reach everywhere."""
    generators = dict.fromkeys((BUILT_IN, *_FILES), PatchGenerator.radius)
    known = {"crop": Crop.radius, "mix": Mix.radius, "lowpass": Lowpass.radius, **generators}
    return known.get(natural)


def check_generator(natural: object, generator: str | None) -> None:
    """Refuse a generator's file that nobody asks for, and a family that lacks it.

    Raises:
        UsageError: naming what to pass.
    """
    if generator is not None and natural not in _FILES:
        raise UsageError(f"--generator {generator} is read by --natural file or drawn; pass one of them")
    if generator is None and natural in _FILES:
        raise UsageError(f"--natural {natural} draws from a file of yours; pass --generator FILE.safetensors, or vae")


def family_of(
    natural: str | PatchGenerator, radius: float | None, bank: Bank | None, generator: str | None = None
) -> Family:
    """The family of a name, or of a generator.

    Args:
        natural: one of `NATURAL`, or a generator.
        radius: how far it reaches; None: its own.
        bank: of crops, for families of photographs.
        generator: the file of "file" and "drawn".

    Raises:
        UsageError: a radius that the family cannot have.
        WeightsError: the generator's file cannot be used, or its pictures are not natural.
    """
    if natural == "none":
        return Free()
    if isinstance(natural, str) and natural in _OF_CROPS:
        if bank is None:
            raise UsageError(f"natural={natural} is made of photographs; pass a bank of crops")
        found: Crop | Mix | Lowpass | PatchGenerator = _OF_CROPS[natural](bank)
    elif natural in _FILES or natural == BUILT_IN:
        found = PatchGenerator.load(generator or BUILT_IN, checked=natural != "drawn", name=str(natural))
    else:
        found = Lowpass() if isinstance(natural, str) else natural
    if radius is None:
        return found
    if radius > _FARTHEST and isinstance(found, PatchGenerator):
        raise UsageError(f"--natural-radius {radius:g}: a generator's vectors are shorter; pass at most {_FARTHEST:g}")
    if radius > 1 and isinstance(found, Crop | Lowpass):
        unit = "colours" if isinstance(found, Crop) else "frequency of Nyquist"
        raise UsageError(f"--natural-radius {radius:g}: pass at most 1, the whole range of {unit}")
    return replace(found, radius=radius)
