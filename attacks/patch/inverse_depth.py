"""What the values of a depth map mean: planes are affine in inverse depth, and in nothing else."""

import re
from dataclasses import dataclass

from torch import Tensor

from rgbdsod.errors import UsageError

_METRIC = re.compile(r"metric:([\d.]+)-([\d.]+)")

_CLOSEST = 0.3  # metres: nearer than that few sensors measure


@dataclass(frozen=True)
class DepthKind:
    """How a map in [0, 1] with near = 1 runs with distance.

    Args:
        name: "inverse": evenly in 1/distance, as in stereo data; "metric": evenly in distance; "unknown": taken as
            inverse, and recorded as unknown.
        near: distance that is 1, in metres; metric only.
        far: distance that is 0, in metres; metric only.

    Raises:
        UsageError: unknown name, or distances out of order.
    """

    name: str = "unknown"
    near: float = 1.0
    far: float = 10.0

    def __post_init__(self) -> None:
        if self.name not in ("inverse", "metric", "unknown"):
            raise UsageError(f'no depth kind "{self.name}"; pass inverse, unknown, or metric:NEAR-FAR in metres')
        if not 0 < self.near < self.far:
            raise UsageError(f"--depth-kind metric:{self.near:g}-{self.far:g}: pass 0 < NEAR < FAR, in metres")

    @classmethod
    def parse(cls, text: str) -> "DepthKind":
        """The kind in "inverse", "unknown" or "metric:0.5-8".

        Raises:
            UsageError: something else stands there.
        """
        found = _METRIC.fullmatch(text)
        if not found:
            return cls(text)
        try:
            near, far = float(found[1]), float(found[2])
        except ValueError:
            raise UsageError(f"--depth-kind {text}: pass distances in metres, such as metric:0.5-8") from None
        return cls("metric", near, far)

    def __str__(self) -> str:
        """As a user types it."""
        return f"metric:{self.near:g}-{self.far:g}" if self.name == "metric" else self.name

    @property
    def offset(self) -> float:
        """Inverse depth at value 0 in units of the map's range; 0 where the map has no absolute scale."""
        return (1 / self.far) / self._range if self.name == "metric" else 0.0

    @property
    def nearest(self) -> float:
        """The largest inverse depth that a card may have: the map's end, or 0.3 m where that is farther."""
        if self.name != "metric":
            return 1.0
        return (1 / max(self.near, _CLOSEST) - 1 / self.far) / self._range

    def inverse(self, depth: Tensor) -> Tensor:
        """Inverse depth of a map, brought to [0, 1]."""
        if self.name != "metric":
            return depth
        distance = self.far + depth * (self.near - self.far)
        return (1 / distance - 1 / self.far) / self._range

    def depth(self, inverse: Tensor) -> Tensor:
        """The map of an inverse depth in [0, 1]; what lies beyond `far` is 0."""
        if self.name != "metric":
            return inverse
        distance = 1 / (inverse.clamp_min(0) * self._range + 1 / self.far)
        return (self.far - distance) / (self.far - self.near)

    @property
    def _range(self) -> float:
        return 1 / self.near - 1 / self.far
