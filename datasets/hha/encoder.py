"""HHA as a differentiable module, so that an attack can move depth and be judged on what the network sees."""

from collections.abc import Collection
from copy import copy
from dataclasses import dataclass
from typing import Literal, Self

import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from rgbdsod.datasets.hha.camera import check_camera, kinect_camera
from rgbdsod.datasets.hha.checks import check_gravity
from rgbdsod.datasets.hha.encode import MISSING, Missing
from rgbdsod.datasets.hha.geometry import COARSE, DOWN, FINE
from rgbdsod.datasets.hha.scale import DepthScale
from rgbdsod.datasets.hha.surface import Rays, find_gravity, normals, own_down
from rgbdsod.errors import UsageError

Through = Literal["gravity", "floor"]

_THROUGH = ("gravity", "floor")
_ALMOST = 1 - 1e-7  # the arc cosine has no slope at 1
_OWN_AXIS = 0.1  # degrees from the camera's own y within which heights are measured along that


@dataclass(frozen=True, eq=False)
class Frame:
    """What an encoding takes from whole images.

    Attributes:
        gravity: (B,3) directions, x right, y down, z forward.
        floor: (B,) height of the floor over the camera, in centimetres.
        valid: (B,1,H,W) bool, where depth was measured; None: everywhere.
    """

    gravity: Tensor
    floor: Tensor
    valid: Tensor | None = None

    def select(self, index: Tensor) -> "Frame":
        """The frame of some of the samples, by index along the batch."""
        return Frame(self.gravity[index], self.floor[index], None if self.valid is None else self.valid[index])


class HHAEncoder(nn.Module):
    """Depth (B,1,H,W) to HHA (B,3,H,W) in [0, 1], in the order disparity, height, angle.

    Gravity and the floor's height come from the whole image. `held` takes them from the clean depth, once, which is
    what an attack's loop wants; otherwise every call finds them anew, per sample and without gradient.

    Args:
        camera: (3,3) pinhole matrix of the maps' size, for pixel numbers that begin at 1; "assumed": that of
            `pseudo_hha`.
        scale: what depth in [0, 1] means in metres; None: depth comes in metres.
        gravity: (3,) the same for all images; None: estimated.
        missing: as for `encode_hha`; "mask" adds a fourth channel.
        rounding: to the 256 levels of a file, straight through: the gradient passes as if there were none. False:
            neither rounded nor cut, for gradient checks.
        every: gravity is estimated from the normals at every so many pixels in each direction; with 4 it is within
            0.1 degree of that from all.
        through: "gravity" (the last eigenvector) and "floor" (the lowest point) let the gradient pass too.

    Raises:
        UsageError: there is no camera, or it does not fit the maps; a setting means nothing.

    Source: S. Gupta et al., ECCV 2014 (arXiv 1407.5736).

    Example:
        >>> import torch
        >>> from rgbdsod.datasets import HHAEncoder
        >>> camera = [[80, 0, 50], [0, 80, 40], [0, 0, 1]]
        >>> wall = torch.full((1, 1, 80, 100), 1.5)
        >>> (HHAEncoder(camera)(wall)[0, :, 39, 49] * 255).round().tolist()
        [207.0, 130.0, 128.0]
    """

    def __init__(
        self,
        camera: ArrayLike | Literal["assumed"] | None,
        *,
        scale: DepthScale | None = None,
        gravity: ArrayLike | None = None,
        missing: Missing = "reference",
        rounding: bool = True,
        every: int = 4,
        through: Collection[Through] = (),
    ) -> None:
        super().__init__()
        if camera is None:
            check_camera(camera, (1, 1))  # says what to do
        if missing not in MISSING:
            raise UsageError(f'missing is "{missing}"; expected {", ".join(MISSING)}')
        if every < 1:
            raise UsageError(f"every is {every}; expected 1 (all pixels) or more")
        if not set(through) <= set(_THROUGH):
            raise UsageError(f"through is {tuple(through)}; expected some of {', '.join(_THROUGH)}")
        self.camera = camera
        self.scale = scale
        self.gravity = check_gravity(gravity)
        self.missing = missing
        self.rounding = rounding
        self.every = every
        self.through = frozenset(through)
        self.kept: Frame | None = None

    @classmethod
    def pseudo(cls, scale: DepthScale | None = None, *, missing: Missing = "reference") -> "HHAEncoder":
        """The encoder of `pseudo_hha`: assumed camera and distances, gravity along the camera's y."""
        return cls("assumed", scale=scale or DepthScale(), gravity=DOWN, missing=missing)

    def forward(self, depth: Tensor, frame: Frame | None = None) -> Tensor:
        """HHA of depth; values are not checked here, since an attack calls it in its loop.

        Args:
            depth: (B,1,H,W) in metres, or in [0, 1] with a `scale`.
            frame: gravity, floor and validity; None: what is held, else found from this depth.
        """
        self._check_shape(depth)
        frame = frame or self.kept or self.frame(depth)
        if len(frame.gravity) not in (1, len(depth)):
            raise UsageError(
                f"the frame was held for {len(frame.gravity)} images but depth has {len(depth)}; "
                "select those of the batch (encoder.select(index))"
            )
        metres = self._metres(depth)
        rays = self._rays(metres)
        valid = None if frame.valid is None else frame.valid[:, 0]
        disparity = 31000 / (100 * metres).clamp(min=100)
        height = _heights(metres, rays, frame.gravity) - frame.floor[:, None, None]
        angle, defined = _angles(metres, valid, rays, frame.gravity)
        image = torch.stack([disparity, height, angle + 38], 1)
        known = (defined if valid is None else defined & valid).expand_as(metres)[:, None]
        return self._finished(image, known)

    def frame(self, depth: Tensor, valid: Tensor | None = None) -> Frame:
        """Gravity and floor of depth (B,1,H,W), measured where `valid` (B,1,H,W) is True; None: everywhere."""
        self._check_shape(depth)
        metres = self._metres(depth)
        rays = self._rays(metres)
        if self.gravity is None:
            with torch.set_grad_enabled("gravity" in self.through and torch.is_grad_enabled()):
                coarse = normals(metres, None if valid is None else valid[:, 0], rays, COARSE, self.every)
                down = find_gravity(*coarse, differentiable="gravity" in self.through)
        else:
            down = metres.new_tensor(self.gravity).expand(len(metres), 3)
        with torch.set_grad_enabled("floor" in self.through and torch.is_grad_enabled()):
            lowest = _heights(metres, rays, down).flatten(1).amin(1)
        return Frame(down, torch.where(lowest > -90, -130.0, lowest), valid)

    def held(self, depth: Tensor, valid: Tensor | None = None) -> Self:
        """The same encoder with gravity, floor and validity kept as they are in this (clean) depth, on its device.

        Raises:
            UsageError: depth is not finite, not positive where it was measured, or above 100 m.
        """
        self._check_shape(depth)
        with torch.no_grad():
            self._check_values(self._metres(depth), valid)
            return self._with(self.frame(depth, valid))

    def select(self, index: Tensor) -> Self:
        """The same encoder for some of the samples that are held, by index along the batch."""
        return self if self.kept is None else self._with(self.kept.select(index))

    def _with(self, frame: Frame) -> Self:
        other = copy(self)
        other.kept = frame
        return other

    def _metres(self, depth: Tensor) -> Tensor:
        plane = depth[:, 0].float() if depth.dtype in (torch.float16, torch.bfloat16) else depth[:, 0]
        metres: Tensor = plane if self.scale is None else self.scale.metres(plane)
        return metres

    def _rays(self, metres: Tensor) -> Rays:
        size = int(metres.shape[-2]), int(metres.shape[-1])
        camera = kinect_camera(size) if isinstance(self.camera, str) else check_camera(self.camera, size)
        return Rays.of(camera, metres)

    def _finished(self, image: Tensor, known: Tensor) -> Tensor:
        """Levels from 0 to 1, with missing pixels replaced."""
        if self.rounding:
            image = image.clamp(0, 255)
            image = image + (image.round() - image).detach()
        if self.missing == "mean":
            total = known.sum((-2, -1), keepdim=True).clamp(min=1)
            mean = (image * known).sum((-2, -1), keepdim=True).detach() / total
            image = torch.where(known, image, mean.round() if self.rounding else mean)
        if self.missing == "mask":
            image = torch.cat([image * known, 255 * known.to(image.dtype)], 1)
        return image / 255

    def _check_shape(self, depth: Tensor) -> None:
        if depth.ndim != 4 or depth.shape[1] != 1 or 0 in depth.shape or not depth.is_floating_point():
            came = f"{tuple(depth.shape)} {depth.dtype}"
            raise UsageError(f"depth is {came}; pass floating point (B, 1, H, W): HHA is made of one map per image")

    def _check_values(self, metres: Tensor, valid: Tensor | None) -> None:
        measured = metres if valid is None else metres[valid[:, 0]]
        low, high = (float(end) for end in torch.aminmax(measured)) if measured.numel() else (1.0, 1.0)
        if not (0 < low <= high <= 100):
            raise UsageError(
                f"measured depth goes from {low:g} to {high:g} m; expected above 0 and at most 100 m "
                "(millimetres? divide by 1000; holes? pass valid=depth > 0; depth in [0, 1]? pass a scale)"
            )


def _heights(metres: Tensor, rays: Rays, gravity: Tensor) -> Tensor:
    """Heights over the camera in centimetres."""
    own = own_down(gravity)
    near_own = torch.linalg.vector_norm(gravity.detach() - own, dim=-1) < torch.pi * _OWN_AXIS / 180
    x, y, z = torch.where(near_own[:, None], own, gravity).mul(-100)[:, :, None, None].unbind(1)
    return metres * (rays.a * x + (rays.b * y + z))


def _angles(metres: Tensor, valid: Tensor | None, rays: Rays, gravity: Tensor) -> tuple[Tensor, Tensor]:
    """Angles with gravity in degrees, 180 where there is no normal, and where there is one."""
    fine, defined = normals(metres, valid, rays, FINE)
    x, y, z = gravity[:, :, None, None].unbind(1)
    cosine = fine[0] * x + fine[1] * y + fine[2] * z
    angle = torch.rad2deg(cosine.clamp(-_ALMOST, _ALMOST).acos())
    return torch.where(defined, angle, 180.0), defined
