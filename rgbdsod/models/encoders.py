"""Encoders that can be run stage by stage, so that a network can act between the stages."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, Self

import timm
from torch import Tensor, nn

from rgbdsod.errors import UsageError

RESNET_MODULES = ("resnet", "res2net", "resnest", "sknet")
"""timm's modules whose models have a stem, a max-pool and four layers."""


class Stages(nn.Module):
    """Named parts in a row, grouped into stages; each stage's result is one feature map.

    The parts are direct children, so a state dict has the names of the network that they come from.

    Args:
        stages: the parts of each stage, by name, in the order in which they run.
        widths: channels of each stage's result.
        strides: input pixels per pixel of each stage's result.
    """

    def __init__(
        self, stages: Sequence[Mapping[str, nn.Module]], widths: Sequence[int], strides: Sequence[int]
    ) -> None:
        super().__init__()
        for stage in stages:
            for name, part in stage.items():
                self.add_module(name, part)
        self._names = [tuple(stage) for stage in stages]
        self.widths = tuple(widths)
        self.strides = tuple(strides)

    def step(self, index: int, x: Tensor) -> Tensor:
        """The result of stage `index` for the result of the stage before it (the image, for stage 0)."""
        for name in self._names[index]:
            x = getattr(self, name)(x)
        return x

    def forward(self, x: Tensor, count: int | None = None) -> list[Tensor]:
        """The results of the first `count` stages (None: all), each (B, width, H / stride, W / stride)."""
        features = []
        for index in range(len(self._names) if count is None else count):
            x = self.step(index, x)
            features.append(x)
        return features

    def cut(self, count: int) -> Self:
        """The same encoder with only its first `count` stages; the others are dropped."""
        for names in self._names[count:]:
            for name in names:
                delattr(self, name)
        self._names, self.widths, self.strides = self._names[:count], self.widths[:count], self.strides[:count]
        return self


class StagedEncoder(Stages):
    """A ResNet of timm, without weights, as five stages: the stem and `layer1` to `layer4`.

    Args:
        name: a timm model of the ResNet family (`resnet10t`, `resnet18`, `resnext50_32x4d`, `seresnet50`, ...).
        in_chans: channels of the input.
        stem_pool: True gives the stem its max-pool (strides 4, 4, 8, 16, 32); False moves it to the head of `layer1`
            (strides 2, 4, 8, 16, 32).
        options: further arguments of the timm model, such as `channels=(16, 32, 64, 128)`, `stem_width=8` or
            `output_stride=16`.

    Raises:
        UsageError: timm does not know the name, or the model is no ResNet.
    """

    def __init__(self, name: str, in_chans: int, *, stem_pool: bool = True, **options: Any) -> None:
        _check_family(name)
        model: Any = timm.create_model(name, pretrained=False, in_chans=in_chans, **options)
        stem = {part: getattr(model, part) for part in ("conv1", "bn1", "act1")}
        pool = {"maxpool": model.maxpool}
        layers = [{layer: getattr(model, layer)} for layer in ("layer1", "layer2", "layer3", "layer4")]
        stages = [stem | pool, *layers] if stem_pool else [stem, pool | layers[0], *layers[1:]]
        strides = [info["reduction"] for info in model.feature_info]
        if stem_pool:
            strides[0] = strides[1]
        super().__init__(stages, [info["num_chs"] for info in model.feature_info], strides)


class Steps(Protocol):
    """A network that can be run stage by stage."""

    def step(self, index: int, x: Tensor) -> Tensor:
        """The result of stage `index` for the result of the stage before it (the image, for stage 0)."""
        ...


class Beginning(nn.Module):
    """The first stages of a network, whose weights it shares.

    Args:
        network: a module that can be run stage by stage.
        count: how many stages.
    """

    def __init__(self, network: Steps, count: int) -> None:
        super().__init__()
        self.network = network
        self.count = count

    def forward(self, x: Tensor) -> list[Tensor]:
        """The results of these stages."""
        features = []
        for index in range(self.count):
            x = self.network.step(index, x)
            features.append(x)
        return features


def check_multiple(network: str, x: Tensor, multiple: int) -> None:
    """Refuse an input whose height or width is not a multiple of `multiple`.

    Args:
        network: the network's name, for the message.
        x: the input, (B,C,H,W).
        multiple: what height and width must be multiples of, in pixels.

    Raises:
        UsageError: with the size that came, the next size that fits, and the padding that reaches it.
    """
    height, width = x.shape[-2:]
    rows, columns = -height % multiple, -width % multiple
    if rows or columns or not (height and width):
        fitting = f"{max(height + rows, multiple)}x{max(width + columns, multiple)}"
        raise UsageError(
            f"{network} takes heights and widths that are multiples of {multiple}, but got {height}x{width}; "
            f"resize to {fitting}, or pad {rows} rows and {columns} columns"
        )


def check_minimum(network: str, x: Tensor, minimum: int) -> None:
    """Refuse an input with fewer than `minimum` rows or columns.

    Args:
        network: the network's name, for the message.
        x: the input, (B,C,H,W).
        minimum: the least height and width, in pixels.

    Raises:
        UsageError: with the size that came and a size of about the same shape that fits.
    """
    height, width = x.shape[-2:]
    if min(height, width) < minimum:
        scale = minimum / max(min(height, width), 1)
        raise UsageError(
            f"{network} takes heights and widths of at least {minimum}, but got {height}x{width}; "
            f"resize to {math.ceil(height * scale)}x{math.ceil(width * scale)}"
        )


def _check_family(name: str) -> None:
    """Refuse what cannot be cut into a stem and four layers."""
    if not timm.is_model(name):
        raise UsageError(f'timm has no model "{name}"; an encoder is a ResNet of timm, such as resnet10t or resnet18')
    if not timm.models.is_model_in_modules(name, RESNET_MODULES):
        raise UsageError(
            f'"{name}" cannot be run stage by stage; an encoder is of the ResNet family of timm, such as resnet10t, '
            "resnet18, resnext50_32x4d, seresnet50, res2net50_26w_4s or resnest14d"
        )
