"""The same geometry in a fraction of the time: plane fits centred on their pixel, few filters, few passes.

With offsets from the centre as coordinates nothing cancels in the sums, and where no pixel is missing the sums that do
not hold depth are known without a filter: offsets along rows and along columns are then uncorrelated.
"""

import cv2
import numpy as np

from rgbdsod.datasets.hha.camera import Matrix, slopes
from rgbdsod.datasets.hha.geometry import (
    COARSE,
    DOWN,
    FINE,
    ROUNDS,
    Flags,
    Floats,
    Geometry,
    floor_of,
    height_axis,
    least_axis,
)

SUPPORT = {FINE: 15, COARSE: 45}
"""Valid pixels that a window needs for a normal, by radius; below, the fit is close to singular."""

Parts = tuple[Floats, Floats, Floats]
"""The three coordinates of a map of vectors, each (H,W)."""


def measure(depth: Floats, valid: Flags, camera: Matrix, gravity: Floats | None = None) -> Geometry:
    """The geometry of (H,W) depth in metres; arguments as in `published.measure`."""
    complete = bool(valid.all())
    inverse = np.divide(1, depth) if complete else np.divide(1, depth, out=np.zeros_like(depth), where=valid)
    rays = slopes(camera, depth.shape)
    mask = None if complete else valid.astype(np.float64)
    down = find_gravity(*_normals(inverse, mask, camera, rays, COARSE)) if gravity is None else gravity
    fine, defined = _normals(inverse, mask, camera, rays, FINE)
    x, y, z = -100 * height_axis(down)
    height = depth * (rays[0] * x + (rays[1] * y + z))
    floor = floor_of(float(height.min()))
    height -= floor
    return Geometry(height, _angle(fine, down, defined), defined, down, floor)


def find_gravity(normal: Parts, defined: Flags) -> Floats:
    """Gravity (3,) from a map of unit normals; the rounds end where one changes nothing."""
    x, y, z = (part.ravel() for part in normal) if defined.all() else (part[defined] for part in normal)
    down = DOWN
    for limit, rounds in ROUNDS:
        floor, wall = np.cos(np.radians(limit)), np.sin(np.radians(limit))
        for _ in range(rounds):
            along = np.abs(down[0] * x + down[1] * y + down[2] * z)
            chosen = (along < wall).astype(np.float64) - (along > floor)
            weighted = chosen * x, chosen * y, chosen * z
            scatter = np.array([[part @ other for other in (x, y, z)] for part in weighted])
            before, down = down, least_axis(scatter, down)
            if np.array_equal(before, down):
                break
    return down


def _angle(normal: Parts, down: Floats, defined: Flags) -> Floats:
    cosine = normal[0] * down[0]
    cosine += normal[1] * down[1]
    cosine += normal[2] * down[2]
    np.clip(cosine, -1, 1, out=cosine)
    angle: Floats = np.rad2deg(np.arccos(cosine, out=cosine), out=cosine)
    angle[~defined] = 180
    return angle


def _normals(
    inverse: Floats, mask: Floats | None, camera: Matrix, rays: tuple[Floats, Floats], radius: int
) -> tuple[Parts, Flags]:
    """Unit normals away from the camera, and where there is one."""
    if mask is None:
        (p, q, s), defined = _plane(inverse, radius)
    else:
        (p, q, s), defined = _masked_plane(inverse, mask, radius)
    p *= camera[0, 0] / radius
    q *= camera[1, 1] / radius
    ahead = s < 0
    s -= rays[0] * p
    s -= rays[1] * q
    length = p * p
    length += q * q
    length += s * s
    np.sqrt(length, out=length)
    np.negative(length, out=length, where=ahead)
    length[length == 0] = 1
    return (np.divide(p, length, out=p), np.divide(q, length, out=q), np.divide(s, length, out=s)), defined


def _plane(inverse: Floats, radius: int) -> tuple[Parts, Flags]:
    """Plane fit in whole windows: p and q along the scaled offsets, s at the centre."""
    height, width = inverse.shape
    columns, rows = _offsets(width, radius), _offsets(height, radius)[:, :, None]
    ones, ramp = _kernels(radius)
    mean = _filter(inverse, ones, ones) / (columns[0] * rows[0])
    p = _filter(inverse, ramp, ones)
    p /= columns[0] * rows[0]
    q = _filter(inverse, ones, ramp)
    q /= columns[0] * rows[0]
    p -= columns[1] * mean
    p /= columns[2]
    q -= rows[1] * mean
    q /= rows[2]
    mean -= columns[1] * p
    mean -= rows[1] * q
    return (p, q, mean), columns[0] * rows[0] >= SUPPORT[radius]


def _offsets(size: int, radius: int) -> Floats:
    """Along one side: number, mean and variance (3,size) of the scaled offsets in windows that the border cuts."""
    place = np.arange(size)
    low, high = np.maximum(-radius, -place), np.minimum(radius, size - 1 - place)
    number = high - low + 1.0
    variance = np.maximum(number**2 - 1, 1) / 12  # of consecutive integers; of one alone any slope will do
    return np.stack([number, (low + high) / (2 * radius), variance / radius**2])


def _masked_plane(inverse: Floats, mask: Floats, radius: int) -> tuple[Parts, Flags]:
    """Plane fit to the valid pixels of each window: the symmetric 3x3 system by its adjugate, sign included."""
    ones, ramp = _kernels(radius)
    count, u, w = (_filter(mask, *kernels) for kernels in ((ones, ones), (ramp, ones), (ones, ramp)))
    uu, uw, ww = (_filter(mask, *kernels) for kernels in ((ramp**2, ones), (ramp, ramp), (ones, ramp**2)))
    i, iu, iw = (_filter(inverse, *kernels) for kernels in ((ones, ones), (ramp, ones), (ones, ramp)))
    first, second, third = ww * count - w * w, w * u - uw * count, uw * w - ww * u
    p = first * iu + second * iw + third * i
    middle, last = uu * count - u * u, uw * u - uu * w
    q = second * iu + middle * iw + last * i
    s = third * iu + last * iw + (uu * ww - uw * uw) * i
    return (p, q, s), count >= SUPPORT[radius]


def _kernels(radius: int) -> tuple[Floats, Floats]:
    """Filters for a sum and for a sum weighted with the scaled offset."""
    return np.ones(2 * radius + 1), np.arange(-radius, radius + 1) / radius


def _filter(values: Floats, along_columns: Floats, along_rows: Floats) -> Floats:
    """Direct separable sums; `along_columns` weighs offsets in x, `along_rows` in y."""
    sums: Floats = cv2.sepFilter2D(values, -1, along_columns, along_rows, borderType=cv2.BORDER_CONSTANT)
    return sums
