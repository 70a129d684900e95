"""Types that several rooms speak of."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

from torch import Tensor

Inputs = Mapping[str, Tensor]
"""Named inputs in [0, 1]: {"rgb": (B,3,H,W), "depth": (B,1,H,W)}, {"image": ...}; depth has near = 1."""

Modality = Literal["rgb", "depth", "both"]

Callback = Callable[[int, int], None]
"""Called with (steps done, steps in all)."""


class Objects(NamedTuple):
    """The objects of one image.

    Attributes:
        boxes: (N,4) x0, y0, x1, y1 in pixels; the image's corner is (0, 0).
        labels: int64 (N,), positions in the list of class names.
        crowd: bool (N,), True where a box holds a group of things that nobody separated.
    """

    boxes: Tensor
    labels: Tensor
    crowd: Tensor


class Detections(NamedTuple):
    """What a detector found in one image, the best first.

    Attributes:
        boxes: (N,4) x0, y0, x1, y1 in pixels.
        scores: (N,) in [0, 1].
        labels: int64 (N,), positions in the list of class names.
    """

    boxes: Tensor
    scores: Tensor
    labels: Tensor


@runtime_checkable
class StagedNetwork(Protocol):
    """A network that says which of its parts depend on which input.

    `encode` is everything that depends on one input alone; `fuse` is the rest. The plain forward pass is
    `fuse({name: encode(name, x) for each input})`, so an attack on one input runs the other's `encode` once.
    """

    inputs: tuple[str, ...]

    def encode(self, name: str, x: Tensor) -> Any:
        """What can be computed from the network's own (normalised) input `name` alone."""
        ...

    def fuse(self, features: Mapping[str, Any]) -> dict[str, Tensor]:
        """The outputs, by name, from the features of all inputs."""
        ...


@runtime_checkable
class MapModel(Protocol):
    """What a map problem needs of a model: inputs in [0, 1] in, one logit per pixel out."""

    inputs: tuple[str, ...]

    def encode(self, name: str, x: Tensor) -> Any:
        """What can be computed from input `name` (B,C,H,W) in [0, 1] alone."""
        ...

    def fuse(self, features: Mapping[str, Any], size: tuple[int, int]) -> Tensor:
        """Logits (B,1,H,W) at `size` from the features of all inputs."""
        ...
