"""Encoders of segmentation-models-pytorch that a fusion design can run level by level."""

from collections.abc import Iterator
from typing import Any

import segmentation_models_pytorch as smp
from timm.models import FeatureListNet
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torchvision.models import ResNet

from rgbdsod.errors import UsageError
from rgbdsod.fusion.extra_channels import InitExtra, widen

LEVELS = 5
"""Levels of an encoder, with strides 2, 4, 8, 16 and 32."""

_NORMS = (_NormBase, nn.GroupNorm, nn.LayerNorm)

_RESNET = (("conv1", "bn1", "relu"), ("maxpool", "layer1"), ("layer2",), ("layer3",), ("layer4",))


class UnetEncoder(nn.Module):
    """An encoder by name, without weights; nothing is downloaded.

    Args:
        name: as segmentation-models-pytorch spells it ("resnet18", "mobilenet_v2"), or "tu-" and a model of timm.
        in_channels: of its input.
        last: level after which it ends; the parts behind it are not built.
        init_extra: what the filters of channels beyond the third begin as; see `rgbdsod.fusion.widen`.
        options: further arguments of a timm model.

    Raises:
        UsageError: there is no such encoder, or it cannot end early.
    """

    def __init__(
        self, name: str, in_channels: int = 3, *, last: int = LEVELS, init_extra: InitExtra = "mean", **options: Any
    ) -> None:
        super().__init__()
        self.name = name
        self.body = _body(name, min(in_channels, 3), options)
        if in_channels > 3:
            widen(self.body, in_channels - 3, init_extra)
        self.widths = tuple(int(width) for width in self.body.out_channels[1:])
        self._levels = _levels(self.body)
        if last < LEVELS:
            self._cut(last)

    @property
    def can_step(self) -> bool:
        """Whether it can be run level by level."""
        return self._levels is not None

    def step(self, level: int, x: Tensor) -> Tensor:
        """The map of a level (1 to 5) from that of the level before, the input for level 1."""
        for part in (self._levels or ())[level - 1]:
            x = self.body.get_submodule(part)(x)
        return x

    def forward(self, x: Tensor, last: int = LEVELS) -> list[Tensor]:
        """The maps of levels 1 to `last`, each (B, width, H / 2 ** level, W / 2 ** level)."""
        if self._levels is None:
            return list(self.body(x)[1 : last + 1])
        maps = []
        for level in range(1, last + 1):
            x = self.step(level, x)
            maps.append(x)
        return maps

    def check_steps(self) -> None:
        """Refuse an encoder that can only be run as a whole.

        Raises:
            UsageError: with the encoders that can be run level by level.
        """
        if not self.can_step:
            raise UsageError(
                f'encoder "{self.name}" runs only as a whole, so it can neither end early nor take fused maps; use a '
                'ResNet, or flow="skip" without trimming'
            )

    def _cut(self, last: int) -> None:
        """Drop the parts behind a level."""
        self.check_steps()
        for parts in (self._levels or ())[last:]:
            for part in parts:
                self.body.set_submodule(part, nn.Identity())


def share_weights(source: UnetEncoder, target: UnetEncoder) -> None:
    """Make two encoders of one kind one in all but their normalisation layers.

    Args:
        source: whose parameters both will have.
        target: gives up its own.
    """
    for name, module in target.named_modules():
        if isinstance(module, _NORMS):
            continue
        for key, _ in list(module.named_parameters(recurse=False)):
            setattr(module, key, getattr(source.get_submodule(name), key))


def _body(name: str, channels: int, options: dict[str, Any]) -> Any:
    """The library's encoder of five levels."""
    try:
        return smp.encoders.get_encoder(name, in_channels=channels, depth=LEVELS, weights=None, **options)
    except (KeyError, ValueError, RuntimeError) as error:
        reason = str(error).strip("'\"").split(".")[0].split("`")[0].strip()
        raise UsageError(
            f'no encoder "{name}" of five levels ({reason}); use one of segmentation-models-pytorch, such as resnet18 '
            "or mobilenet_v2, or a model of timm, such as tu-resnet10t"
        ) from error


def _levels(body: nn.Module) -> tuple[tuple[str, ...], ...] | None:
    """Names of the parts of each level, in the order in which they run; None where they are no simple row."""
    if isinstance(body, ResNet):
        return _RESNET
    model = getattr(body, "model", None)
    if isinstance(model, FeatureListNet) and len(model.return_layers) == LEVELS and not body._is_transformer_style:
        return tuple(_between_taps(model))
    return None


def _between_taps(model: Any) -> Iterator[tuple[str, ...]]:
    """Parts of a timm model up to each of its taps."""
    row: tuple[str, ...] = ()
    for name in model:
        row = (*row, f"model.{name}")
        if name in model.return_layers:
            yield row
            row = ()
