"""Generated RGB-D scenes in which neither colour nor depth alone tells the salient object.

A scene has a textured background (a slanted plane, or a wall and a floor) and one or two salient objects. Three kinds:

- "both" (60 %): the object differs from the background in colour and stands before it. There are also decals (as
  vivid as the object, but flat on the background) and camouflaged things (as near as the object, but with the
  background's pattern going on over them). Objects, decals and camouflaged things have the same shapes and sizes.
- "rgb" (20 %): the object differs in colour only and nothing stands before the background.
- "depth" (20 %): the object is camouflaged and nothing differs in colour.

So the salient object is where both cues meet and, if they meet nowhere, where the only cue is.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from rgbdsod.datasets.dataset import Dataset
from rgbdsod.datasets.sample import Flags, Map, Picture, Sample, on_grid
from rgbdsod.datasets.sensor import measure
from rgbdsod.datasets.shapes import coverage, draw_shape
from rgbdsod.datasets.textures import Window, fractal, paint, pattern
from rgbdsod.errors import UsageError

Kind = Literal["both", "rgb", "depth"]

VERSION = 1
"""Goes into fingerprints; to be raised whenever a scene of the same seed and index changes."""

LEVELS = 65535
SHARE = {"both": 0.6, "rgb": 0.2, "depth": 0.2}

_NEAREST, _FARTHEST = 1.0, 5.0  # metres that become depth 1 and 0
_MIN_SIDE = 16


@dataclass(frozen=True)
class _Thing:
    """Something on or before the background.

    Attributes:
        salient: belongs to the mask.
        colour: differs from the background in colour.
        near: stands before the background.
        cover: coverage 0..255 inside the bounding box.
        rows: of the bounding box.
        cols: of the bounding box.
    """

    salient: bool
    colour: bool
    near: bool
    cover: Picture
    rows: slice
    cols: slice

    @property
    def inside(self) -> Flags:
        return self.cover > 127


def scene_kind(index: int, seed: int = 0) -> Kind:
    """Which cues tell the salient object of a scene: "both", "rgb" or "depth"."""
    return _draw_kind(_generator(index, seed))


def scene(index: int, *, seed: int = 0, size: tuple[int, int] = (128, 128), kind: Kind | None = None) -> Sample:
    """Generate one scene; the same arguments always give the same scene.

    Args:
        index: which scene, 0 or more.
        seed: which series of scenes, 0 or more.
        size: (H, W) in pixels, each 16 or more.
        kind: cues of the salient object; None: as `scene_kind` says.

    Returns:
        A sample with all of its fields but the camera; `group` is the kind.

    Raises:
        UsageError: an argument is outside its range.
    """
    _check(index, seed, size)
    if kind is not None and kind not in get_args(Kind):
        raise UsageError(f'no scene kind "{kind}"; expected one of {", ".join(get_args(Kind))}')
    rng = _generator(index, seed)
    own_kind = _draw_kind(rng)
    kind = kind or own_kind
    window = Window.whole(size)
    things = _place(rng, kind, size)
    rgb = _colours(rng, window, things)
    distance, near = _distances(rng, window, things)
    # What is drawn once per pixel has a generator of its own, so that it moves nothing else at another size.
    grain = np.random.default_rng((seed, index, 1))
    rgb += np.float32(rng.uniform(0.005, 0.02)) * grain.standard_normal(size, dtype=np.float32)
    measured, valid = measure(rng, grain, distance, near)
    mask = np.zeros(size, np.uint8)
    for thing in things:
        # Later things lie over earlier ones.
        mask[thing.rows, thing.cols][thing.inside] = 255 if thing.salient else 0
    return Sample(
        id=scene_id(index, seed),
        rgb=_eight_bit(rgb),
        depth=on_grid((_FARTHEST - measured) / (_FARTHEST - _NEAREST), LEVELS),
        mask=mask,
        valid=valid,
        depth_levels=LEVELS,
        group=kind,
    )


def scene_id(index: int, seed: int) -> str:
    """The id of a scene."""
    return f"scene-{seed}-{index:06d}"


class Scenes(Dataset):
    """A series of generated scenes.

    Args:
        count: how many, 1 or more.
        size: (H, W) of all of them.
        seed: which series.
        start: index of the first one.
    """

    def __init__(self, count: int, *, size: tuple[int, int] = (128, 128), seed: int = 0, start: int = 0) -> None:
        if count < 1:
            raise UsageError(f"scenes:{count} holds no image; ask for 1 or more")
        _check(start, seed, size)
        super().__init__(
            f"scenes:{count}@{size[0]}x{size[1]}#{seed}",
            [scene_id(index, seed) for index in range(start, start + count)],
            convention=f"generated: near = 1, {_NEAREST:g} m is 1 and {_FARTHEST:g} m is 0, 16 bit, holes filled",
        )
        self.seed, self.start, self._size = seed, start, size

    def read(self, position: int) -> Sample:
        """Generate the scene at a position."""
        return scene(self.start + position, seed=self.seed, size=self._size)

    def size(self, position: int) -> tuple[int, int]:
        """(H, W)."""
        return self._size

    def digest(self, position: int) -> str:
        """The generator's settings."""
        height, width = self._size
        return f"scene version {VERSION} seed {self.seed} index {self.start + position} size {height}x{width}"


def _check(index: int, seed: int, size: tuple[int, int]) -> None:
    if index < 0 or seed < 0:
        raise UsageError(f"scene index {index} and seed {seed} must be 0 or more")
    if min(size) < _MIN_SIDE:
        raise UsageError(f"a scene of {size[0]}x{size[1]} pixels is too small; each side must be {_MIN_SIDE} or more")


def _generator(index: int, seed: int) -> np.random.Generator:
    return np.random.default_rng((seed, index))


def _draw_kind(rng: np.random.Generator) -> Kind:
    u = rng.random()
    if u < SHARE["both"]:
        return "both"
    return "rgb" if u < SHARE["both"] + SHARE["rgb"] else "depth"


def _place(rng: np.random.Generator, kind: Kind, size: tuple[int, int]) -> list[_Thing]:
    """Choose things, their shapes and places, so that they hardly overlap."""
    objects = 1 + int(rng.random() < 0.25)
    roles = [(True, kind != "depth", kind != "rgb")] * objects
    if kind == "both":
        most = 2 if objects == 1 else 1
        roles += [(False, True, False)] * int(rng.integers(1, most + 1))
        roles += [(False, False, True)] * int(rng.integers(1, most + 1))
    largest = {1: 0.28, 2: 0.16}.get(len(roles), 0.10)
    shapes = [draw_shape(rng) for _ in roles]
    scales = np.sqrt(rng.uniform(0.07, largest, len(roles)))
    centres, scales = _arrange(rng, np.array([shape.radius for shape in shapes]) * scales, scales, size)
    unit = np.sqrt(size[0] * size[1])
    drawn = [
        coverage([(part * scale + centre) * unit for part in shape.parts], size)
        for shape, scale, centre in zip(shapes, scales, centres, strict=True)
    ]
    things = [_Thing(*role, *place) for role, place in zip(roles, drawn, strict=True)]
    return things[::-1]


def _arrange(
    rng: np.random.Generator, radii: NDArray[np.float64], scales: NDArray[np.float64], size: tuple[int, int]
) -> tuple[list[NDArray[np.float64]], NDArray[np.float64]]:
    """Places for circles of these radii; all are shrunk alike until they fit, so that size does not tell the role."""
    extent = np.array([size[1], size[0]]) / np.sqrt(size[0] * size[1])
    fit = min(1.0, 0.52 * float(extent.min()) / float(radii.max()))
    while True:
        margin = np.minimum(0.96 * radii[:, None] * fit, extent / 2)
        tries = rng.uniform(margin, extent - margin, (48, len(radii), 2))
        apart = np.linalg.norm(tries[:, :, None] - tries[:, None], axis=-1)
        free = apart >= 0.88 * fit * (radii[:, None] + radii)
        free[:, np.arange(len(radii)), np.arange(len(radii))] = True
        found = np.flatnonzero(free.all((1, 2)))
        if found.size:
            return list(tries[found[0]]), scales * fit
        fit *= 0.96


def _colours(rng: np.random.Generator, window: Window, things: list[_Thing]) -> Map:
    """(3,H,W) picture of background and coloured things, lit from one side, about in [0, 1]."""
    ground = rng.uniform(0.2, 0.8, 3).astype(np.float32)
    ground = 0.6 * ground + 0.4 * ground.mean()
    other = np.clip(ground + rng.uniform(-0.15, 0.15, 3).astype(np.float32), 0, 1)
    rgb = paint(pattern(rng, window), ground, other)
    rgb += np.float32(0.12) * (fractal(rng, window.size, cells=8) - np.float32(0.5))
    light = rng.uniform(0, 2 * np.pi)
    for thing in things:
        if thing.colour:
            _paint_thing(rng, rgb, window, thing, (ground, other), light)
    strength = np.float32(rng.uniform(0, 0.35))
    ramp = window.along(light)
    rgb *= np.float32(rng.uniform(0.9, 1.1)) + strength * (ramp - ramp.mean())
    return rgb


def _paint_thing(
    rng: np.random.Generator, rgb: Map, window: Window, thing: _Thing, ground: tuple[Map, Map], light: float
) -> None:
    """Paint one thing, shaded, in a colour far from the two of the background."""
    candidates = rng.random((16, 3), dtype=np.float32)
    gap = np.min([np.linalg.norm(candidates - colour, axis=1) for colour in ground], axis=0)
    first = candidates[np.argmax(np.minimum(gap, 0.5))]
    second = np.clip(first + rng.uniform(-0.2, 0.2, 3).astype(np.float32), 0, 1)
    part = window.crop(thing.rows, thing.cols)
    skin = paint(pattern(rng, part), first, second)
    ramp = part.along(light)
    skin *= 1 + (ramp - ramp.mean()) * np.float32(0.4 / max(float(np.ptp(ramp)), 1e-6))
    target = rgb[:, thing.rows, thing.cols]
    target += thing.cover * np.float32(1 / 255) * (skin - target)


def _eight_bit(rgb: Map) -> Picture:
    """(3,H,W) about in [0, 1] to (H,W,3) 0..255, rounded."""
    return np.asarray(cv2.convertScaleAbs(cv2.merge(list(np.maximum(rgb, 0))), alpha=255), np.uint8)


def _distances(rng: np.random.Generator, window: Window, things: list[_Thing]) -> tuple[Map, Flags]:
    """(H,W) true distances in metres, and where something stands before the background."""
    distance = _background(rng, window)
    near = np.zeros(window.size, bool)
    for thing in things:
        gap, bulge, tilt = rng.uniform((0.55, 0.05, -0.2), (1.1, 0.2, 0.2))
        if not thing.near:
            continue
        inside, part = thing.inside, window.crop(thing.rows, thing.cols)
        target = distance[thing.rows, thing.cols]
        x, y = (_centred(axis) for axis in (part.x, part.y))
        front = target[inside].min() - np.float32(gap)
        surface = front + np.float32(tilt) * x - np.float32(bulge) * (1 - x * x) * (1 - y * y)
        target[inside] = np.maximum(surface, _NEAREST)[inside]
        near[thing.rows, thing.cols] |= inside
    return distance, near


def _centred(axis: Map) -> Map:
    """Coordinates of a box, from -1 to 1."""
    middle, half = (axis.max() + axis.min()) / 2, max(float(np.ptp(axis)) / 2, 1e-6)
    centred: Map = (axis - middle) / np.float32(half)
    return centred


def _background(rng: np.random.Generator, window: Window) -> Map:
    """A slanted plane, or a wall with a floor before it; with slight relief. (H,W) metres, 2.4 to 4.9."""
    wall, slope, turn = rng.uniform((3.3, 0.0, 0), (4.6, 0.08, 2 * np.pi))
    ramp = window.along(turn)
    # The inverse distance of a plane is linear in pixel coordinates.
    inverse = 1 / np.float32(wall) + np.float32(slope) * (ramp - ramp.mean())
    edge, steep = rng.uniform((0.35, 0.1), (0.75, 0.3))
    if rng.random() < 0.5:
        inverse = np.maximum(inverse, 1 / np.float32(wall) + np.float32(steep) * (window.y - np.float32(edge)))
    relief = np.float32(rng.uniform(0.02, 0.15)) * (fractal(rng, window.size, cells=3, octaves=3) - 0.5)
    distance: Map = np.clip(1 / inverse, 2.4, 4.8) + relief
    return distance
