"""What a model sees in each modality alone, and in parts of one."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs, MapModel

Model = MapModel | Callable[[Inputs], Tensor]
"""A saliency model of RGB and depth: logits (B,1,H,W) of the mapping of inputs."""

MODALITIES = ("rgb", "depth")


class Streams(NamedTuple):
    """Three opinions of one scene: probabilities (B,1,H,W) from RGB alone, from depth alone, and from both."""

    rgb: Tensor
    depth: Tensor
    both: Tensor


class Staged:
    """A model as two stages, so that what depends on an input that stays is computed once.

    Args:
        model: a `MapModel`, or a callable whose stages are not known.
        size: (H, W) of the maps asked of a `MapModel`.
    """

    def __init__(self, model: Model, size: tuple[int, int]) -> None:
        self._model, self._size = model, size

    def encode(self, name: str, image: Tensor) -> Any:
        """What depends on this input alone."""
        return self._model.encode(name, image) if isinstance(self._model, MapModel) else image

    def map(self, features: dict[str, Any]) -> Tensor:
        """The probabilities (B,1,H,W), of the features of all inputs."""
        if isinstance(self._model, MapModel):
            return self._model.fuse(features, self._size).sigmoid()
        return self._model(features).sigmoid()


def by_replacement(model: Model, inputs: Inputs) -> Streams:
    """The opinions of a model that has no streams of its own: the other modality replaced by its mean.

    Args:
        model: of RGB and depth.
        inputs: "rgb" (B,3,H,W) and "depth" (B,1,H,W).
    """
    height, width = inputs["rgb"].shape[-2:]
    staged = Staged(model, (height, width))
    features = {name: staged.encode(name, inputs[name]) for name in MODALITIES}
    flat = {name: staged.encode(name, _mean(inputs[name])) for name in MODALITIES}
    return Streams(
        rgb=staged.map({**features, "depth": flat["depth"]}),
        depth=staged.map({**features, "rgb": flat["rgb"]}),
        both=staged.map(features),
    )


def check_pair(name: str, inputs: Inputs) -> None:
    """Refuse inputs that are not RGB and depth."""
    if missing := [key for key in MODALITIES if key not in inputs]:
        raise UsageError(f'{name} compares "rgb" with "depth", and "{missing[0]}" is missing; pass both')


def check_victim(name: str, victim: object) -> MapModel:
    """The victim, where it is a network of RGB and depth.

    Raises:
        UsageError: it is not.
    """
    if isinstance(victim, MapModel) and set(victim.inputs) == set(MODALITIES):
        return victim
    named = getattr(victim, "name", "the victim")
    raise UsageError(f"{name} compares RGB with depth, and {named} has not both inputs; leave it out")


def held(model: object) -> tuple[nn.Module, ...]:
    """The model itself where it is a module."""
    return (model,) if isinstance(model, nn.Module) else ()


def _mean(image: Tensor) -> Tensor:
    return image.mean((2, 3), keepdim=True).expand_as(image)


def window_mean(values: Tensor, side: int) -> Tensor:
    """Mean of the window of so many pixels, made odd, around each pixel; at the border of what is inside."""
    radius = side // 2
    return torch.nn.functional.avg_pool2d(values, 2 * radius + 1, 1, radius, count_include_pad=False)
