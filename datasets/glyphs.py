"""Generated 32 x 32 images of one coloured glyph each, with captions: a world that a small dual encoder can learn."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from rgbdsod.datasets.glyph_shapes import INKS, OUTLINES, Field
from rgbdsod.datasets.glyph_words import LOOKS, TEMPLATES, GlyphTask, Look
from rgbdsod.datasets.sample import Picture
from rgbdsod.errors import UsageError

SIDE = 32
CONTRAST = 0.75
NOISE = 0.04
COLOUR_JITTER = 0.04
RADIUS = (0.6, 0.85)
"""Of the glyph, in half sides."""
SHIFT = 0.15
"""Largest, of the glyph's centre, in half sides."""
TURN = 0.35
"""Largest, in radians."""

_PAINT = {
    "red": (0.76, 0.25, 0.25),
    "green": (0.27, 0.63, 0.3),
    "blue": (0.3, 0.4, 0.79),
    "yellow": (0.79, 0.76, 0.27),
    "purple": (0.56, 0.3, 0.66),
    "orange": (0.82, 0.53, 0.24),
    "cyan": (0.27, 0.73, 0.76),
    "pink": (0.82, 0.56, 0.66),
    "black": (0.21, 0.21, 0.21),
    "grey": (0.5, 0.5, 0.5),
    "white": (0.79, 0.79, 0.79),
    "brown": (0.43, 0.34, 0.25),
    "navy": (0.23, 0.24, 0.4),
    "olive": (0.45, 0.47, 0.27),
}
_INK = 0.55  # share of its colour that a glyph keeps in the dark parts of its texture

_GRID = (np.arange(SIDE) + 0.5) * 2 / SIDE - 1
_X, _Y = np.broadcast_arrays(_GRID[None, :], _GRID[:, None])


@dataclass(frozen=True, eq=False)
class Glyph:
    """One image.

    Attributes:
        id: name that is unique in its series.
        image: (32,32,3) uint8, RGB order.
        look: shape, colour, texture and background.
        caption: a sentence that names some of these.
    """

    id: str
    image: Picture
    look: Look
    caption: str

    def label(self, task: GlyphTask) -> int | None:
        """The class in a task of `rgbdsod.datasets.glyph_words.TASKS`, None where the image is not in it."""
        return task.label(self.look)


def glyph(index: int, *, seed: int = 0, series: str = "glyphs", looks: Sequence[Look] = LOOKS) -> Glyph:
    """Draw one glyph; the same arguments always give the same image.

    Args:
        index: which image, 0 or more.
        seed: 0 or more.
        series: images of different series are independent.
        looks: what it may be; one of them is drawn.

    Raises:
        UsageError: an argument is outside its range.

    Example:
        >>> from rgbdsod.datasets import glyph
        >>> drawn = glyph(0)
        >>> drawn.image.shape, drawn.look.shape in drawn.caption or drawn.look.colour in drawn.caption
        ((32, 32, 3), True)
    """
    if index < 0 or seed < 0:
        raise UsageError(f"glyph index {index} and seed {seed} must be 0 or more")
    rng = np.random.default_rng((seed, index, int.from_bytes(series.encode(), "little")))
    look = looks[int(rng.integers(len(looks)))]
    caption = look.caption(int(rng.integers(len(TEMPLATES))))
    return Glyph(f"{series}-{seed}-{index:06d}", _draw(rng, look), look, caption)


@dataclass(frozen=True, eq=False)
class Glyphs:
    """A series of glyphs with captions, all in memory.

    Attributes:
        images: (N,32,32,3) uint8, RGB order.
        looks: of each image.
        captions: of each image.
        seed: of the series.
    """

    images: Picture
    looks: tuple[Look, ...]
    captions: tuple[str, ...]
    seed: int

    def __len__(self) -> int:
        return len(self.looks)

    @property
    def name(self) -> str:
        """How a run calls the series."""
        return f"glyphs:{len(self)}#{self.seed}"

    @property
    def fingerprint(self) -> str:
        """SHA-256 of images and captions, in hexadecimal."""
        return hashlib.sha256(self.images.tobytes() + "\n".join(self.captions).encode()).hexdigest()

    def labels(self, task: GlyphTask) -> list[int | None]:
        """The classes in a task, None for images that are not in it."""
        return [task.label(look) for look in self.looks]


def glyphs(count: int, *, seed: int = 0) -> Glyphs:
    """Images with captions, all looks equally likely.

    Args:
        count: how many, 1 or more.
        seed: 0 or more.

    Raises:
        UsageError: an argument is outside its range.
    """
    if count < 1:
        raise UsageError(f"glyphs:{count} holds no image; ask for 1 or more")
    return _together((glyph(index, seed=seed) for index in range(count)), seed)


def _together(drawn: Iterable[Glyph], seed: int) -> Glyphs:
    items = list(drawn)
    return Glyphs(
        np.stack([item.image for item in items]),
        tuple(item.look for item in items),
        tuple(item.caption for item in items),
        seed,
    )


def _draw(rng: np.random.Generator, look: Look) -> Picture:
    """The image of a look: place, size, angle, colours and noise are drawn."""
    ground, paint = (
        np.array(_PAINT[name]) + rng.normal(0, COLOUR_JITTER, 3) for name in (look.background, look.colour)
    )
    radius = rng.uniform(*RADIUS)
    cx, cy = rng.uniform(-SHIFT, SHIFT, 2)
    turn = rng.uniform(-TURN, TURN)
    x = np.cos(turn) * (_X - cx) + np.sin(turn) * (_Y - cy)
    y = np.cos(turn) * (_Y - cy) - np.sin(turn) * (_X - cx)
    inside = _soft(-radius * OUTLINES[look.shape](x / radius, y / radius))
    if look.texture in INKS:
        ink = np.clip(0.5 + INKS[look.texture](x, y), 0, 1)[..., None]
        paint = paint * (1 - (1 - _INK) * ink)
    image = ground + inside[..., None] * (paint - ground)
    image = 0.5 + CONTRAST * (image - 0.5) + NOISE * rng.standard_normal(image.shape)
    levels: Picture = np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
    return levels


def _soft(depth: Field) -> Field:
    """Coverage in [0, 1] of a pixel that lies so many half sides inside an outline: an edge one pixel wide."""
    return np.clip(0.5 + depth * SIDE / 2, 0, 1)
