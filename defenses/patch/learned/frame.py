"""A border that was learned in competition with patches."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar, Self

import torch
import torch.nn.functional as F
from torch import Tensor

from rgbdsod.defenses.patch.learned.weights import asset_path, read_asset
from rgbdsod.defenses.patch.purifier import Filter
from rgbdsod.errors import UsageError, WeightsError

WIDTH = 0.05
"""Of the border, as a share of the longer side."""

BUILT_IN = ("fcos.tiny",)
"""The victims that a frame was learned for; `examples/make_victim_defenses.py` shows how."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Frame(Filter):
    """The outer pixels of every image are replaced by the same learned ones.

    A frame belongs to the one victim that it was learned for. The paper's is put around the image; here the image keeps
    its size, and what the border showed is lost.

    Args:
        on: the inputs that get it; None: the RGB image.
        weights: a safetensors file with "frame", (3,h,w) in [0, 1]; None: the built-in one of the victim.

    Raises:
        UsageError: a victim without a frame, or called before it is known.
        WeightsError: no such file, or one that holds no frame.

    Source: Yu et al., "Defending Person Detection Against Adversarial Patch Attack by using Universal Defensive Frame",
        2022, arXiv 2204.13004.
    """

    weights: str | Path | None = None
    frame: Tensor | None = field(default=None, init=False, repr=False)

    name: ClassVar[str] = "frame"
    colour_only: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.weights is not None:
            object.__setattr__(self, "frame", _read(self.name, self.weights))

    def in_front_of(self, victim: object) -> Self:
        """The same defence with the victim's frame.

        Raises:
            UsageError: there is none for it.
        """
        if self.weights is not None:
            return self
        name = str(getattr(victim, "name", type(victim).__name__))
        if name not in BUILT_IN:
            raise UsageError(
                f"{self.name} is learned for one model, and there is none for {name}; it is built in for "
                f"{', '.join(BUILT_IN)}, and weights=FILE takes another"
            )
        return replace(self, weights=asset_path(f"frame_{name.partition('.')[0]}"))

    def filter(self, image: Tensor) -> Tensor:
        """The framed image; a single channel gets the mean of the frame's."""
        if self.frame is None:
            raise UsageError(f"{self.name} is learned for one model; call .in_front_of(model) first, or pass weights=")
        return framed(image, self.frame)


def framed(image: Tensor, frame: Tensor) -> Tensor:
    """The image with the border of a frame; differentiable in both.

    Args:
        image: (B,C,H,W).
        frame: (3,h,w) in [0, 1], brought to the image's size.
    """
    size = (image.shape[-2], image.shape[-1])
    drawn = F.interpolate(frame[None].to(image), size, mode="bilinear")
    drawn = drawn if image.shape[1] == len(frame) else drawn.mean(1, keepdim=True)
    return torch.where(border(size).to(image.device), drawn, image)


def border(size: tuple[int, int]) -> Tensor:
    """The pixels that a frame covers, bool (H,W)."""
    wide = max(round(WIDTH * max(size)), 1)
    inside = torch.ones(size, dtype=torch.bool)
    inside[wide : size[0] - wide, wide : size[1] - wide] = False
    return inside


def _read(name: str, path: str | Path) -> Tensor:
    found = read_asset(name, path).get("frame")
    if found is None or found.ndim != 3 or len(found) != 3:
        raise WeightsError(f'{path} holds no "frame" of (3,h,w); pass a file that was made for {name}')
    return found
