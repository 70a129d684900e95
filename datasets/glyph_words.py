"""What a glyph can be, and the sentences that describe it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product

SHAPES = ("circle", "square", "triangle", "ring", "cross", "bar", "diamond", "crescent", "star", "frame")
COLOURS = ("red", "green", "blue", "yellow", "purple", "orange", "cyan", "pink")
TEXTURES = ("plain", "striped", "dotted", "checkered")
BACKGROUNDS = ("black", "grey", "white", "brown", "navy", "olive")

TEMPLATES = (
    "a photo of a {texture} {colour} {shape} on a {background} background",
    "this is a photo of a {colour} {shape}",
    "a {texture} {colour} {shape}",
    "a {shape} on a {background} background",
    "this is a photo of a {texture} {shape}",
    "a {colour} object with {texture} texture on a {background} background",
)
"""Of captions; each names some of the attributes."""

_BETWEEN = ("a", "background", "is", "object", "of", "on", "photo", "texture", "this", "with")
WORDS = tuple(sorted({*SHAPES, *COLOURS, *TEXTURES, *BACKGROUNDS, *_BETWEEN}))
"""All words of the captions."""


@dataclass(frozen=True)
class Look:
    """What a glyph is.

    Attributes:
        shape: one of `SHAPES`.
        colour: one of `COLOURS`.
        texture: one of `TEXTURES`.
        background: one of `BACKGROUNDS`.
    """

    shape: str
    colour: str
    texture: str
    background: str

    def caption(self, template: int) -> str:
        """The sentence of a template, by position in `TEMPLATES`."""
        return TEMPLATES[template].format(**vars(self))


LOOKS = tuple(Look(*names) for names in product(SHAPES, COLOURS, TEXTURES, BACKGROUNDS))
"""All of them: shapes slowest, backgrounds fastest."""


@dataclass(frozen=True)
class GlyphTask:
    """A classification problem on glyphs.

    Attributes:
        name: of the task.
        title: as tables show it.
        template: the prompt, with {} for the class name.
        classes: the class names.
        tuned: whether fine-tuning may use it; the others are zero-shot tasks.
    """

    name: str
    title: str
    template: str
    classes: tuple[str, ...]
    tuned: bool = False

    def label(self, look: Look) -> int | None:
        """The class of a glyph, None where it does not belong to the task."""
        name = _CLASS_OF[self.name](look)
        return self.classes.index(name) if name in self.classes else None

    def looks(self) -> list[list[Look]]:
        """For each class the glyphs that belong to it."""
        members: list[list[Look]] = [[] for _ in self.classes]
        for look in LOOKS:
            label = self.label(look)
            if label is not None:
                members[label].append(look)
        return members


def _pair(look: Look) -> str | None:
    return f"{look.colour} {look.shape}" if look.texture == "plain" else None


_CLASS_OF: Mapping[str, Callable[[Look], str | None]] = {
    "tuning": _pair,
    "pairs": _pair,
    "new-shapes": _pair,
    "shapes": lambda look: look.shape,
    "textures": lambda look: look.texture,
    "backgrounds": lambda look: look.background,
}


def _pairs(held_out: bool) -> Iterator[str]:
    """Names of seven shapes in six colours; one in seven pairs is held out of tuning."""
    for shape, colour in product(range(7), range(6)):
        if ((3 * shape + 5 * colour) % 7 == 0) is held_out:
            yield f"{COLOURS[colour]} {SHAPES[shape]}"


_PHOTO = "this is a photo of a {}"

TASKS = (
    GlyphTask("tuning", "tuning classes", _PHOTO, tuple(_pairs(held_out=False)), tuned=True),
    GlyphTask("pairs", "held-out pairs", _PHOTO, tuple(_pairs(held_out=True))),
    GlyphTask("new-shapes", "held-out shapes", _PHOTO, tuple(f"{c} {s}" for s in SHAPES[7:] for c in COLOURS)),
    GlyphTask("shapes", "shapes", _PHOTO, SHAPES),
    GlyphTask("textures", "textures", "this is a photo of a {} object", TEXTURES),
    GlyphTask("backgrounds", "backgrounds", "a object on a {} background", BACKGROUNDS),
)
"""The tuning classes and the five zero-shot tasks, which tuning never uses."""
