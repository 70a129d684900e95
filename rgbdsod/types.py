"""Types that several rooms speak of."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol, runtime_checkable

from torch import Tensor

Inputs = Mapping[str, Tensor]
"""Named inputs in [0, 1]: {"rgb": (B,3,H,W), "depth": (B,1,H,W)}, {"image": ...}; depth has near = 1."""

Modality = Literal["rgb", "depth", "both"]

Callback = Callable[[int, int], None]
"""Called with (steps done, steps in all)."""


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
