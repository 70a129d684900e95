"""A patch over an image: blended in colour, one surface or the other in depth."""

from dataclasses import dataclass, field
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor

from rgbdsod.attacks.patch.inverse_depth import DepthKind
from rgbdsod.attacks.patch.planes import card, fitted, in_front
from rgbdsod.attacks.patch.pose import usual_focal
from rgbdsod.attacks.patch.warp import FAINT, Window, warp, window_of
from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs

DepthMode = Literal["none", "surface", "card", "plane", "relief", "free"]
DEPTH_MODES: tuple[str, ...] = get_args(DepthMode)
PHYSICAL = ("none", "surface", "card", "plane")
"""Modes in which a real object could have this depth."""

COLOURS = ("rgb", "image")
"""Inputs that carry a patch's colours."""


class Placed(NamedTuple):
    """Patched inputs.

    Args:
        inputs: all inputs by name; those that no patch touches are the caller's own tensors.
        mask: the pixels that the patch covers at least to one half, bool (B,1,H,W).
    """

    inputs: dict[str, Tensor]
    mask: Tensor


class Canvas(NamedTuple):
    """Patches before they are placed.

    Args:
        alpha: shape, (B,1,h,w) in [0, 1].
        colour: (B,3,h,w) in [0, 1]; None where no colour changes.
        near: inverse depth at the centre, (B,), for modes card, plane and relief.
        relief: (B,1,h,w): what is added to the plane (mode relief), or depth itself (mode free).
    """

    alpha: Tensor
    colour: Tensor | None = None
    near: Tensor | None = None
    relief: Tensor | None = None


@dataclass(frozen=True)
class Surface:
    """What a patch does to depth.

    Args:
        mode: "none": nothing; "surface": the plane of what it is glued to; "card": a card that faces the camera;
            "plane": a tilted card; "relief": a card with a relief; "free": any values, which no object has.
        kind: what the map's values mean.
        focal: in pixels; None: 1.2 times the longer side.

    Raises:
        UsageError: unknown mode.
    """

    mode: str = "none"
    kind: DepthKind = field(default_factory=DepthKind)
    focal: float | None = None

    def __post_init__(self) -> None:
        if self.mode not in DEPTH_MODES:
            raise UsageError(f'no depth mode "{self.mode}"; modes are {", ".join(DEPTH_MODES)}')

    @property
    def has_card(self) -> bool:
        """Whether the patch lies on a plane of its own."""
        return self.mode in ("card", "plane", "relief")


def compose(inputs: Inputs, canvas: Canvas, places: Tensor, surface: Surface, tilt: Tensor | None = None) -> Placed:
    """Patches over images, one each: a single warp of what is premultiplied by its shape.

    Colour is (1 - A) rgb + Q, where Q already has its A: multiplying again would darken the rim. Depth does not blend,
    since a sensor returns one surface or the other.

    Args:
        inputs: rgb or image (B,3,H,W), depth (B,1,H,W), in [0, 1].
        canvas: the patches.
        places: where they lie: homographies (B,3,3) from the canvas's pixels to the image's; differentiable, where
            they ask for gradients.
        surface: what they do to depth.
        tilt: of the cards, (B,2), see `rgbdsod.attacks.patch.pose.Pose`; None: they face the camera.
    """
    image = next(iter(inputs.values()))
    window = window_of(places, (canvas.alpha.shape[-2], canvas.alpha.shape[-1]), (image.shape[-2], image.shape[-1]))
    parts = [part for part in (canvas.colour, canvas.relief) if part is not None]
    seen = warp(torch.cat([*(part * canvas.alpha for part in parts), canvas.alpha], 1), places, window)
    moving = places.requires_grad
    cover, result = seen[:, -1:], dict(inputs)
    cover = cover if moving else cover.detach()  # the shape is no variable, but for where it lies
    covered = cover >= 0.5
    if canvas.colour is not None:
        name = next(name for name in COLOURS if name in inputs)
        under = window.cut(inputs[name])
        result[name] = window.paste(inputs[name], torch.where(cover > FAINT, (1 - cover) * under + seen[:, :3], under))
    if surface.mode != "none":
        relief = None if canvas.relief is None else seen[:, -2:-1] / cover.clamp_min(0.5)
        under = window.cut(inputs["depth"])
        depth = _depth(under, covered, canvas, relief, places, surface, tilt, window)
        seen_depth = torch.where(covered, depth, under)
        if moving:  # a surface that comes or goes at the rim has no slope; that of a blend stands in for it
            seen_depth = seen_depth + (cover - cover.detach()) * (depth - under).detach()
        result["depth"] = window.paste(inputs["depth"], seen_depth)
    mask = window.paste(covered.new_zeros(len(image), 1, *image.shape[-2:]), covered)
    return Placed(result, mask)


def _depth(
    clean: Tensor, mask: Tensor, canvas: Canvas, relief: Tensor | None, places: Tensor, surface: Surface,
    tilt: Tensor | None, window: Window,
) -> Tensor:  # fmt: skip
    """The patch's depth all over its window, in the map's own values."""
    kind = surface.kind
    if surface.mode == "free" and relief is not None:
        return relief
    scene = kind.inverse(clean)
    if surface.mode == "surface" or canvas.near is None:
        return kind.depth(fitted(scene, mask)).clamp(0, 1)
    height, width = canvas.alpha.shape[-2:]
    centre = places @ places.new_tensor([(width - 1) / 2, (height - 1) / 2, 1.0])
    centre = centre[:, :2] / centre[:, 2:] - window.corner.flip(1).to(centre)
    focal = surface.focal or usual_focal(window.image)
    lean = torch.zeros_like(centre) if tilt is None else tilt
    plane = in_front(card(canvas.near, lean, centre, clean, focal=focal, offset=kind.offset), scene, mask, kind.nearest)
    return passing(kind.depth(plane if relief is None else plane + relief))


def passing(values: Tensor, room: float = 0.1) -> Tensor:
    """Values clipped to [0, 1]; the gradient passes where they are within `room` of it.

    A plain clip has gradient 0 outside, so that a patch at 0.95 under brighter light would never learn.
    """
    near = values.clamp(-room, 1 + room)
    return values.clamp(0, 1).detach() + (near - near.detach())  # adds exactly 0
