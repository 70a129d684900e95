"""Which transformations belong together."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from torch import Tensor

from rgbdsod.attacks.patch.transforms import camera, ink
from rgbdsod.attacks.patch.transforms.draw import Draw
from rgbdsod.attacks.patch.transforms.motion import Motion

Change = Callable[[Tensor, Draw], Tensor]


@dataclass(frozen=True)
class Transforms:
    """What may happen to a patch.

    Args:
        name: what a user types.
        summary: one line.
        motion: how it hangs.
        colours: what happens to its colours, in this order; clipped once, at the end.
        picture: what happens to the whole picture.
        map: what happens to the whole depth map, where the patch changes depth.
        smooth: weight of the total variation that goes with it.
        printable: weight of the printability that goes with it.
    """

    name: str
    summary: str
    motion: Motion | None = None
    colours: tuple[Change, ...] = ()
    picture: tuple[Change, ...] = ()
    map: tuple[Change, ...] = ()
    smooth: float = 0.0
    printable: float = 0.0

    @property
    def random(self) -> bool:
        """Whether two draws differ."""
        return bool(self.motion or self.colours or self.picture or self.map)

    def seen(self, name: str, values: Tensor, draw: Draw) -> Tensor:
        """What camera or sensor make of an input."""
        for change in self.map if name == "depth" else self.picture:
            values = change(values, draw)
        return values


_PRINT = (ink.light, ink.cast, ink.blur, ink.grain)
_HARD = (ink.bend, ink.cut, ink.light, ink.cast, ink.smear, ink.coarse, ink.shake, ink.blur, ink.grain)

TRANSFORMS: dict[str, Transforms] = {
    preset.name: preset
    for preset in (
        Transforms("none", "the patch as it is, on the pixel"),
        Transforms("digital", "shifted and scaled", Motion(scale=(0.8, 1.2), shift=0.05)),
        Transforms(
            "print",
            "printed and photographed: turned, tilted, shifted, scaled; other light and colours, blur and noise",
            Motion(rotation=20, scale=(0.8, 1.2), shift=0.05, tilt=15),
            _PRINT,
            map=(camera.sensor,),
            smooth=0.5,
            printable=0.01,
        ),
        Transforms(
            "hard",
            "print, and bent, partly hidden, smeared, coarse, shaken; JPEG of the picture",
            Motion(rotation=20, scale=(0.8, 1.2), shift=0.05, tilt=30),
            _HARD,
            (camera.jpeg,),
            (camera.sensor,),
            smooth=0.5,
            printable=0.01,
        ),
        Transforms(
            "thys",
            "as Thys et al. (arXiv 1904.08653): turned by 20 degrees, other light, noise",
            Motion(rotation=20),
            (partial(ink.light, brightness=0.1, contrast=0.2), ink.grain),
            smooth=2.5,
            printable=0.01,
        ),
        Transforms(
            "tsea",
            "as T-SEA (arXiv 2211.09773): turned, jittered light, medians, partly hidden",
            Motion(rotation=20, scale=(0.8, 1.2)),
            (ink.light, partial(ink.smear, chance=1.0), ink.cut),
            smooth=2.5,
        ),
        Transforms(
            "art",
            "as ART's AdversarialPatch: turned by 22.5 degrees, seen at 0.1 to 1 of its size",
            Motion(rotation=22.5, scale=(0.1, 1.0)),
        ),
    )
}
