"""From depth in [0, 1] to metres and back; for NumPy arrays and torch tensors alike."""

from dataclasses import dataclass
from typing import Any, Literal

from rgbdsod.errors import UsageError

ScaleKind = Literal["disparity", "linear"]


@dataclass(frozen=True)
class DepthScale:
    """What depth in [0, 1] with near = 1 means in metres.

    It is fixed once, from the clean image or for all images. A range that followed the extreme pixels of each image
    would let an attack on one pixel rescale the whole map.

    Args:
        near: distance that is 1, in metres.
        far: distance that is 0, in metres.
        kind: "disparity": the inverse of distance runs evenly from 0 to 1, as in stereo data; "linear": distance does,
            as in depth read from millimetres.
    """

    near: float = 1.0
    far: float = 10.0
    kind: ScaleKind = "disparity"

    def __post_init__(self) -> None:
        if self.kind not in ("disparity", "linear"):
            raise UsageError(f'scale is "{self.kind}"; expected "disparity" or "linear"')
        if not 0 < self.near < self.far:
            raise UsageError(f"near is {self.near:g} m and far {self.far:g} m; expected 0 < near < far")

    def metres(self, depth: Any) -> Any:
        """Distances in metres of depth in [0, 1]."""
        if self.kind == "linear":
            return self.far + depth * (self.near - self.far)
        return 1 / (depth * (1 / self.near - 1 / self.far) + 1 / self.far)

    def normalised(self, metres: Any) -> Any:
        """Depth of distances in metres; in [0, 1] between `near` and `far`."""
        if self.kind == "linear":
            return (self.far - metres) / (self.far - self.near)
        return (1 / metres - 1 / self.far) / (1 / self.near - 1 / self.far)

    def share(self, metres: float) -> float:
        """A radius in metres as a radius in units of depth in [0, 1].

        Raises:
            UsageError: the scale is not linear, so that the same step of depth is another distance near and far.
        """
        if self.kind != "linear":
            raise UsageError(
                "a radius in metres needs a linear scale, since a step of disparity is longer far away; "
                'use DepthScale(near, far, "linear")'
            )
        return metres / (self.far - self.near)

    @property
    def words(self) -> str:
        """The scale as a phrase for records."""
        return f"{self.kind}, 1 is {self.near:g} m and 0 is {self.far:g} m"
