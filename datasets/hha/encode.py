"""HHA of metric depth and of relative depth: from geometry to levels, and what becomes of missing pixels."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rgbdsod.datasets.hha import fast, published
from rgbdsod.datasets.hha.camera import check_camera, kinect_camera
from rgbdsod.datasets.hha.checks import check_depth, check_gravity
from rgbdsod.datasets.hha.geometry import DOWN, Flags, Floats, Geometry
from rgbdsod.datasets.hha.scale import DepthScale
from rgbdsod.datasets.sample import Sample
from rgbdsod.errors import UsageError

Missing = Literal["reference", "mean", "mask"]
Method = Literal["fast", "published"]

MISSING: tuple[Missing, ...] = ("reference", "mean", "mask")
METHODS = {"fast": fast.measure, "published": published.measure}


@dataclass(frozen=True, eq=False)
class Hha:
    """An HHA image and what was measured on the way.

    Attributes:
        image: (H,W,3) uint8 in the order disparity, height, angle; (H,W,4) with `valid` as 0 and 255 last, if missing
            pixels were asked for as "mask".
        valid: (H,W) bool, False where depth was missing or too few pixels around it were measured for an angle.
        gravity: (3,) direction of gravity, x right, y down, z forward.
        floor: height of the floor over the camera, in metres; negative.
        metric: False for pseudo-HHA, whose camera and distances are assumed.
    """

    image: NDArray[np.uint8]
    valid: Flags
    gravity: Floats
    floor: float
    metric: bool = True


def encode_hha(
    depth: ArrayLike,
    camera: ArrayLike | None,
    *,
    valid: ArrayLike | None = None,
    missing: Missing = "reference",
    gravity: ArrayLike | None = None,
    method: Method = "fast",
) -> Hha:
    """HHA of a depth map in metres.

    Args:
        depth: (H,W) distance along the optical axis, in metres, with holes filled in where possible.
        camera: (3,3) pinhole matrix for pixel numbers that begin at 1; add 1 to cx and cy of a matrix for numbers
            that begin at 0.
        valid: (H,W) bool, False where the sensor measured nothing; None: everywhere.
        missing: what pixels without an angle, or without depth, become. "reference": what the published program makes
            of them (disparity and height of the filled depth, the level of a ceiling for an angle); "mean": the
            channel's mean; "mask": 0, with validity as a fourth channel.
        gravity: (3,) direction, y down, if it is known; None: estimated from floor and walls.
        method: "published" follows the published program step by step, also in windows with hardly a valid pixel,
            where it shows rounding noise; "fast" gives the same image for complete depth, and no angle there.

    Raises:
        UsageError: depth is not in metres, the camera is absent or does not fit, or a name means nothing.

    Source: S. Gupta, R. Girshick, P. Arbelaez, J. Malik, ECCV 2014 (arXiv 1407.5736).

    Example:
        >>> import numpy as np
        >>> from rgbdsod.datasets import encode_hha
        >>> camera = [[80, 0, 50], [0, 80, 40], [0, 0, 1]]
        >>> encode_hha(np.full((80, 100), 1.5), camera).image[39, 49].tolist()  # a wall; the floor is below
        [207, 130, 128]
    """
    if missing not in MISSING:
        raise UsageError(f'missing is "{missing}"; expected {", ".join(MISSING)}')
    if method not in METHODS:
        raise UsageError(f'method is "{method}"; expected {" or ".join(METHODS)}')
    metres, measured = check_depth(depth, valid)
    height, width = metres.shape
    matrix = check_camera(camera, (height, width))
    geometry = METHODS[method](metres, measured, matrix, check_gravity(gravity))
    known = measured & geometry.defined
    image = _levels(metres, geometry)
    return Hha(_replaced(image, known, missing), known, geometry.gravity, geometry.floor / 100)


def pseudo_hha(
    depth: ArrayLike,
    *,
    valid: ArrayLike | None = None,
    scale: DepthScale | None = None,
    camera: ArrayLike | None = None,
    estimate_gravity: bool = False,
    missing: Missing = "reference",
) -> Hha:
    """A repeatable image of geometry like HHA, from relative depth; it is not HHA, since scale and camera are assumed.

    Args:
        depth: (H,W) in [0, 1], near = 1.
        valid: as for `encode_hha`.
        scale: what depth means in metres; None: disparity from 1 m to 10 m.
        camera: (3,3); None: a Kinect's field of view, centred.
        estimate_gravity: from floor and walls, as for metric depth; otherwise gravity is the camera's y.
        missing: as for `encode_hha`.

    Raises:
        UsageError: depth is outside [0, 1], or as for `encode_hha`.

    Example:
        >>> import rgbdsod as rs
        >>> from rgbdsod.datasets import pseudo_hha
        >>> sample = rs.load_dataset("demo:real")[0]
        >>> pseudo_hha(sample.depth, valid=sample.valid).image.shape
        (128, 208, 3)
    """
    relative = np.asarray(depth, np.float64)
    if relative.size and not (relative.min() >= 0 and relative.max() <= 1):
        raise UsageError(
            f"relative depth has values from {relative.min():g} to {relative.max():g}; pass [0, 1] with near = 1, or "
            "metres with a camera to encode_hha"
        )
    metres = (scale or DepthScale()).metres(relative)
    if camera is None and relative.ndim == DOWN.ndim + 1:
        height, width = relative.shape
        camera = kinect_camera((height, width))
    gravity = None if estimate_gravity else DOWN
    found = encode_hha(metres, camera, valid=valid, missing=missing, gravity=gravity)
    return Hha(found.image, found.valid, found.gravity, found.floor, metric=False)


def sample_hha(sample: Sample, scale: DepthScale | None = None, *, missing: Missing = "reference") -> Hha:
    """Metric HHA of a sample that knows its camera.

    Args:
        sample: its `camera` is for pixel numbers that begin at 1; its `valid` says where depth was filled in.
        scale: what its depth means in metres: the range with which the files were read; None: the sample's own.
        missing: as for `encode_hha`.

    Raises:
        UsageError: the sample has no camera, or no scale is known.
    """
    if sample.camera is None:
        raise UsageError(
            f"{sample.id} has no camera matrix, so there is no metric HHA of it; give the sample one "
            "(camera = [fx, fy, cx, cy] in its rgbdsod.toml), or take pseudo_hha(sample.depth)"
        )
    scale = scale or sample.scale
    if scale is None:
        raise UsageError(
            f"{sample.id} has depth without a scale in metres; pass scale=DepthScale(near, far), or read the files "
            "with depth_unit=mm and a depth_range"
        )
    return encode_hha(scale.metres(sample.depth.astype(np.float64)), sample.camera, valid=sample.valid, missing=missing)


def _levels(metres: Floats, geometry: Geometry) -> NDArray[np.uint8]:
    """Disparity (310 at 1 m, and no more nearer than that), height in centimetres and angle in degrees, as levels."""
    disparity = 31000 / np.maximum(100 * metres, 100)
    image = np.empty((*metres.shape, 3), np.uint8)
    for channel, values in enumerate((disparity, geometry.height, geometry.angle + 38)):
        image[..., channel] = np.clip(np.rint(values, out=disparity), 0, 255, out=disparity)
    return image


def _replaced(image: NDArray[np.uint8], known: Flags, missing: Missing) -> NDArray[np.uint8]:
    if missing == "mask":
        flags = known.astype(np.uint8)[..., None]
        return np.concatenate([image * flags, flags * np.uint8(255)], -1)
    if missing == "mean" and known.any():
        image[~known] = np.rint(image[known].mean(0)).astype(np.uint8)
    return image
