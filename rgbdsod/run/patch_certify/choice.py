"""What a run on certificates is asked to do. Imports no torch."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self, get_args

from rgbdsod.attacks.patch.shapes import parse_share
from rgbdsod.errors import UsageError
from rgbdsod.types import Modality

AIMS, LAYOUTS = ("recovery", "detection"), ("columns", "grid")
THREATS: tuple[str, ...] = get_args(Modality)

Pair = tuple[int, int]

_PIXELS = re.compile(r"([1-9]\d*)x([1-9]\d*)")


@dataclass(frozen=True, kw_only=True)
class CertifyChoice:
    """The patches that results are to hold for, and how.

    Args:
        sizes: of the largest patch: a share of the image, "1%", of a square; or pixels, "13x13" (height, width).
        aims: for maps, "recovery" and "detection".
        layouts: for maps, "columns" and "grid".
        threats: for maps, what a patch may change: "rgb", "depth", "both"; empty: all that the model has.
        fill: what hidden pixels become; None: inpaint for maps, grey for detectors.
        lines: for detectors, how many each way; four copies for each.
        pruning: for detectors, see `rgbdsod.defenses.seek`.
    """

    sizes: tuple[str, ...] = ("0.5%", "1%")
    aims: tuple[str, ...] = AIMS
    layouts: tuple[str, ...] = ("columns",)
    threats: tuple[str, ...] = ()
    fill: str | None = None
    lines: int = 10
    pruning: float = 0.6

    def checked(self) -> Self:
        """The same.

        Raises:
            UsageError: a name or a number that cannot be.
        """
        from rgbdsod.defenses.patch.fills import check_fill

        for flag, values, known in (
            ("--aim", self.aims, AIMS), ("--layout", self.layouts, LAYOUTS), ("--modality", self.threats, THREATS)
        ):  # fmt: skip
            if wrong := [value for value in values if value not in known]:
                raise UsageError(f"{flag} {wrong[0]}: expected one of {', '.join(known)}")
        for flag, some in (("--size", self.sizes), ("--aim", self.aims), ("--layout", self.layouts)):
            if not some:
                raise UsageError(f"{flag} is empty; leave it out for its default")
        for size in self.sizes:
            if not _PIXELS.fullmatch(size):
                parse_share(size, "--size")
        if self.fill is not None:
            check_fill(self.fill)
        if self.lines < 1:
            raise UsageError(f"--lines {self.lines}: pass 1 or more")
        if not 0 < self.pruning <= 1:
            raise UsageError(f"--pruning {self.pruning:g}: pass a share above 0, at most 1")
        return self


def patch_of(size: str, image: Pair) -> Pair:
    """Rows and columns of the largest patch: those given, or the square that covers no less than a share.

    Args:
        size: "1%", "0.01" or "13x13".
        image: (H, W).

    Raises:
        UsageError: it does not fit into the image.
    """
    found = _PIXELS.fullmatch(size)
    if found is not None:
        patch = int(found[1]), int(found[2])
    else:
        side = math.ceil(math.sqrt(parse_share(size, "--size") * image[0] * image[1]) - 1e-9)
        patch = side, side
    if patch[0] > image[0] or patch[1] > image[1]:
        raise UsageError(
            f"--size {size}: {patch[0]}x{patch[1]} pixels are larger than an image of {image[0]}x{image[1]}"
        )
    return patch


def named(texts: Sequence[str] | str) -> tuple[str, ...]:
    """Values separated by commas, or a sequence of them; nothing twice."""
    parts = texts.split(",") if isinstance(texts, str) else texts
    return tuple(dict.fromkeys(part.strip() for part in parts if part.strip()))


def recorded(choice: CertifyChoice, *names: str) -> dict[str, Any]:
    """Fields that numbers depend on, in TOML's types, under the names of the flags."""
    flags = {"sizes": "size", "aims": "aim", "layouts": "layout", "threats": "modality"}
    values = {flags.get(name, name): getattr(choice, name) for name in names}
    known = {name: value for name, value in values.items() if value is not None}
    return {name: ",".join(value) if isinstance(value, tuple) else value for name, value in known.items()}
