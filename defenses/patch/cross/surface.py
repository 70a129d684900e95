"""C3: depth that is no surface a sensor could have seen: too rough, or too flat for what is drawn on it."""

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from rgbdsod.attacks.patch.inverse_depth import DepthKind
from rgbdsod.defenses.patch.cross.defence import CrossDefence
from rgbdsod.defenses.patch.cross.streams import Model, window_mean
from rgbdsod.defenses.patch.door import check_window
from rgbdsod.defenses.patch.grid import luminance
from rgbdsod.types import Inputs

_ROUNDING = 1 / 255 / 12**0.5  # the deviation that storing depth in 8 bit leaves
_TINY = 1e-8
_FAINT = 0.02  # of contrast, in a picture that is all of one colour


@dataclass(frozen=True, eq=False, kw_only=True)
class CrossSurface(CrossDefence):
    """How far depth in a window is from a plane, against the noise of the image's own sensor.

    Inverse depth of a plane is affine in the pixel's coordinates, and a sensor whose noise grows with the square of the
    distance has the same noise everywhere in it: so the median residual of an image is its noise. A window is odd that
    is rougher, or that is flatter while RGB is busy there, as a printed card is. Both are the depth's fault.

    Args:
        on: not used.
        model: not used, and not needed.
        fill: what replaces the masked pixels.
        smallest: blobs below this share of the image are dropped.
        margin: what blobs grow by, as a share of the longer side.
        clean: by modality; `calibrate` sets it.
        window: of the fit, as a share of the longer side.
        depth_kind: what depth means: "inverse", "unknown" (taken as inverse), or "metric:NEAR-FAR".

    Raises:
        UsageError: no such kind, or a window larger than the image.
    """

    window: float = 0.08
    depth_kind: str = "unknown"

    name: ClassVar[str] = "cross-surface"

    def __post_init__(self) -> None:
        super().__post_init__()
        DepthKind.parse(self.depth_kind)

    def compute(self, model: Model, inputs: Inputs) -> dict[str, Tensor]:
        """The larger of how much rougher and how much flatter than the rest a window is, in powers of e."""
        scene = DepthKind.parse(self.depth_kind).inverse(inputs["depth"])
        side = max(2 * (round(self.window * max(scene.shape[-2:])) // 2) + 1, 3)
        check_window(self.name, side, scene, "pass a smaller window")
        rough = (residual(scene, side) + _ROUNDING).log()
        odd = rough - rough.flatten(1).median(1).values.view(-1, 1, 1, 1)
        return {"depth": torch.maximum(odd, -odd * _busy(inputs["rgb"], side)).clamp_min(0)}


def residual(scene: Tensor, side: int) -> Tensor:
    """Root mean square distance from the best plane in the window around each pixel, (B,1,H,W).

    Windows stay inside the image: near the border a pixel has the value of the nearest whole window.

    Args:
        scene: inverse depth, (B,1,H,W).
        side: of the window in pixels, odd, 3 or more.
    """
    radius = side // 2
    values = (scene - scene.mean((2, 3), keepdim=True)).double()
    ramp = torch.arange(-radius, radius + 1, device=scene.device, dtype=torch.float64)
    flat = torch.full_like(ramp, 1 / side)
    lean = ramp / side
    across, down, mean = (
        F.conv2d(F.conv2d(values, rows.view(1, 1, -1, 1)), columns.view(1, 1, 1, -1))
        for rows, columns in ((flat, lean), (lean, flat), (flat, flat))
    )
    spread = ramp.square().mean()
    squares = F.avg_pool2d(values.square(), side, 1) - mean.square()
    left = squares - (across.square() + down.square()) / spread
    inside = left.clamp_min(_TINY**2).sqrt().to(scene)
    return F.pad(inside, (radius,) * 4, mode="replicate")


def _busy(rgb: Tensor, side: int) -> Tensor:
    """Contrast of luminance in the window, as a share of the image's, at most 1."""
    grey = luminance(rgb)
    grey = grey - grey.mean((2, 3), keepdim=True)
    deviation = (window_mean(grey.square(), side) - window_mean(grey, side).square()).clamp_min(_TINY).sqrt()
    whole = grey.square().mean((2, 3), keepdim=True).sqrt()
    return (deviation / (whole + _FAINT)).clamp_max(1)
