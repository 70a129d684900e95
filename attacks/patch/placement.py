"""Where patches go: policies say which corners are allowed, a seeded draw picks one. Nothing is moved silently."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from rgbdsod.attacks.patch.pose import Pose, Size, homographies
from rgbdsod.attacks.patch.warp import footprint
from rgbdsod.attacks.randomness import stream
from rgbdsod.errors import UsageError

_INSIDE = 0.9  # of the patch, for a patch on the object
_EDGE = (0.3, 0.7)


@dataclass(frozen=True)
class Ground:
    """What a policy knows of one image and of the patch's shadow on it.

    Args:
        inside: share of the patch that lies on the object, by corner, (H-h+1, W-w+1).
        near: the same for the object and what is close to it.
        covered: share of the object that the patch covers, by corner.
        most: the largest share of the object that may be covered.
    """

    inside: Tensor
    near: Tensor
    covered: Tensor
    most: float


def on_object(ground: Ground) -> Tensor:
    """At least 90 % of the patch on the object, of which it covers no more than allowed."""
    return (ground.inside >= _INSIDE) & (ground.covered <= ground.most)


def off_object(ground: Ground) -> Tensor:
    """The patch apart from the object and from what is close to it."""
    return ground.near == 0


def boundary(ground: Ground) -> Tensor:
    """Between 30 and 70 % of the patch on the object."""
    return (ground.inside >= _EDGE[0]) & (ground.inside <= _EDGE[1])


POLICIES: dict[str, Callable[[Ground], Tensor]] = {
    "on-object": on_object,
    "off-object": off_object,
    "boundary": boundary,
}
"""Policies that look at the object; "random" and "fixed" do not."""

PLACEMENTS = ("random", "fixed", *POLICIES, "worst", "learned", "box", "apde")

SEEKING = ("worst", "learned")
"""Policies that seek a place for each picture, with gradients."""


@dataclass(frozen=True)
class Placement:
    """Where patches go.

    Args:
        where: one of `PLACEMENTS`.
        at: fixed only: the centre as shares of width and height, "0.5,0.5"; a patch that would leave the
            image is refused.
        gap: how far off the object is off, as a share of the image's longer side.
        cover: the largest share of the object that a patch on it may cover.

    Raises:
        UsageError: unknown policy, or a centre outside the image.
    """

    where: str = "random"
    at: str = "0.5,0.5"
    gap: float = 0.05
    cover: float = 0.25

    def __post_init__(self) -> None:
        if self.where not in PLACEMENTS:
            raise UsageError(f'--where "{self.where}": expected one of {", ".join(PLACEMENTS)}')
        if self.where == "fixed":
            self.centre  # noqa: B018  (refuses what is no place)

    @property
    def centre(self) -> tuple[float, float]:
        """The fixed centre (x, y) as shares of the image.

        Raises:
            UsageError: two numbers from 0 to 1 are expected.
        """
        try:
            x, y = (float(part) for part in self.at.split(","))
        except ValueError:
            x = y = -1.0
        if not (0 <= x <= 1 and 0 <= y <= 1):
            raise UsageError(f"--at {self.at}: pass the centre as shares of width and height, such as 0.5,0.25")
        return x, y

    @property
    def needs_objects(self) -> bool:
        """Whether it must know where objects are."""
        return self.where in POLICIES

    def allowed(self, shadow: Tensor, image: Size, objects: Tensor | None) -> Tensor:
        """Corners (row, column) of the patch's window that are allowed, bool (H-h+1, W-w+1).

        Args:
            shadow: the patch's pixels in its window, bool (h,w).
            image: (H, W).
            objects: bool (H,W); None: not known.

        Raises:
            UsageError: the policy needs objects; a fixed patch leaves the image.
        """
        rows, columns = image[0] - shadow.shape[0] + 1, image[1] - shadow.shape[1] + 1
        if self.where == "fixed":
            return self._fixed(shadow, image, rows, columns)
        if not self.needs_objects:
            return torch.ones(rows, columns, dtype=torch.bool)
        if objects is None:
            raise UsageError(f"--where {self.where} needs to know where objects are; use random or fixed")
        objects = objects.cpu()
        if not bool(objects.any()):
            return torch.zeros(rows, columns, dtype=torch.bool)
        hit = overlaps(objects, shadow)
        apart = overlaps(grown(objects, round(self.gap * max(image))), shadow)
        pixels = int(shadow.sum())
        return POLICIES[self.where](Ground(hit / pixels, apart / pixels, hit / int(objects.sum()), self.cover))

    def _fixed(self, shadow: Tensor, image: Size, rows: int, columns: int) -> Tensor:
        x, y = self.centre
        top, left = round(y * image[0] - shadow.shape[0] / 2), round(x * image[1] - shadow.shape[1] / 2)
        if not (0 <= top < rows and 0 <= left < columns):
            size = f"{shadow.shape[0]}x{shadow.shape[1]}"
            raise UsageError(
                f"--at {self.at}: a patch of {size} pixels leaves the image of {image[0]}x{image[1]}; move it inwards"
            )
        found = torch.zeros(rows, columns, dtype=torch.bool)
        found[top, left] = True
        return found


def overlaps(region: Tensor, shadow: Tensor) -> Tensor:
    """How many pixels of a region the patch covers, by corner: a correlation, exact since counts are whole.

    Args:
        region: bool or weights (H,W).
        shadow: bool (h,w).
    """
    size = region.shape
    product = torch.fft.rfft2(region.double()) * torch.fft.rfft2(shadow.double(), size).conj()
    sums: Tensor = torch.fft.irfft2(product, size)
    sums = sums[: size[0] - shadow.shape[0] + 1, : size[1] - shadow.shape[1] + 1]
    return sums if region.is_floating_point() else sums.round()


def grown(region: Tensor, by: int) -> Tensor:
    """A bool region (..., H,W) and what lies within so many pixels of it along rows and columns."""
    if by < 1:
        return region
    wide = pad(region, (by, by, by, by))
    for axis in (-1, -2):
        reach, wanted = 1, 2 * by + 1
        while reach < wanted:  # the reach doubles
            step = min(reach, wanted - reach)
            rest = wide.shape[axis] - step
            wide, reach = wide.narrow(axis, 0, rest) | wide.narrow(axis, step, rest), reach + step
    return wide


def shadow_of(alpha: Tensor, span: Size) -> Tensor:
    """The pixels of its window that a patch covers, bool (h,w).

    Args:
        alpha: shape on the canvas, (1,h,w).
        span: rows and columns of the window.
    """
    pose = Pose.facing(torch.tensor([[(span[1] - 1) / 2, (span[0] - 1) / 2]], dtype=torch.float64), zoom(alpha, span))
    return footprint(alpha[None].cpu(), homographies(pose, (alpha.shape[-2], alpha.shape[-1]), span), span)[0, 0]


def zoom(alpha: Tensor, span: Size) -> Tensor:
    """Image pixels per canvas pixel, across and down, (1,2) float64."""
    return torch.tensor([[span[1] / alpha.shape[-1], span[0] / alpha.shape[-2]]], dtype=torch.float64)


def pick(allowed: Tensor, seed: int, *labels: object) -> tuple[int, int] | None:
    """One of the allowed corners (row, column), all equally likely; None where there is none.

    Args:
        allowed: bool (rows, columns).
        seed: the run's seed.
        labels: what else the draw depends on: sample, purpose.
    """
    corners = allowed.nonzero()
    if not len(corners):
        return None
    at = int(torch.randint(len(corners), (1,), generator=stream(seed, *labels)))
    return int(corners[at, 0]), int(corners[at, 1])


def poses(corners: Sequence[tuple[int, int]], alpha: Tensor, span: Size) -> Pose:
    """Upright patches with their windows at these corners (row, column)."""
    middle = torch.tensor([(span[1] - 1) / 2, (span[0] - 1) / 2], dtype=torch.float64)
    centre = torch.tensor([(left, top) for top, left in corners], dtype=torch.float64).view(-1, 2) + middle
    return Pose.facing(centre, zoom(alpha, span).expand(len(centre), -1))
