"""More input channels for a network that was made for RGB: what their filters begin as."""

from typing import Literal, get_args

import torch
from torch import Tensor, nn

from rgbdsod.errors import UsageError

InitExtra = Literal["mean", "zero", "copy", "cyclic"]

_GAIN = {"mean": 1.0, "zero": 0.0, "copy": 0.5, "cyclic": 1.0}


def widen(network: nn.Module, extra: int, init_extra: InitExtra = "mean", gain: float | None = None) -> None:
    """Give the first convolution of an RGB network further input channels, in place.

    Args:
        network: its first convolution (in the order of its modules) reads three channels.
        extra: channels to add: 1 for depth, 3 for HHA or repeated depth.
        init_extra: what their filters are. "mean": the mean of the three RGB filters; "zero": none, so the network
            begins as the RGB network; "copy": those of R, G and B (three channels only); "cyclic": R, G, B, R, ...
            with all filters, also those of RGB, scaled by 3 / channels, as timm and segmentation-models-pytorch do.
        gain: factor on the new filters; by default 1, for "copy" 1/2. The filters of RGB stay, except for "cyclic".

    Raises:
        UsageError: an unknown rule, "copy" for other than three channels, or a network that does not begin with RGB.
    """
    if init_extra not in get_args(InitExtra):
        raise UsageError(f'no init_extra "{init_extra}"; there are {", ".join(get_args(InitExtra))}')
    if init_extra == "copy" and extra != 3:
        raise UsageError(f'init_extra="copy" is for 3 more channels (HHA), but got {extra}; use "mean"')
    name, first = _first_convolution(network)
    filters = _filters(first.weight.detach(), extra, init_extra, _GAIN[init_extra] if gain is None else gain)
    wider = nn.Conv2d(
        first.in_channels + extra, first.out_channels, _pair(first.kernel_size), _pair(first.stride),
        first.padding if isinstance(first.padding, str) else _pair(first.padding), _pair(first.dilation),
        bias=first.bias is not None, device=first.weight.device, dtype=first.weight.dtype,
    )  # fmt: skip
    with torch.no_grad():
        wider.weight.copy_(filters)
        if wider.bias is not None and first.bias is not None:
            wider.bias.copy_(first.bias)
    network.set_submodule(name, wider)


def _first_convolution(network: nn.Module) -> tuple[str, nn.Conv2d]:
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            if module.in_channels != 3 or module.groups != 1:
                break
            return name, module
    raise UsageError(f"{type(network).__name__} does not begin with a convolution of three channels")


def _filters(rgb: Tensor, extra: int, how: str, gain: float) -> Tensor:
    """All filters (outputs, 3 + extra, kernel, kernel) from those of RGB."""
    if how == "cyclic":
        channels = 3 + extra
        order = torch.arange(channels, device=rgb.device) % 3
        return rgb[:, order] * (3 / channels * gain)
    added = rgb if how == "copy" else rgb.mean(dim=1, keepdim=True).expand(-1, extra, -1, -1)
    return torch.cat([rgb, added * gain], dim=1)


def _pair(value: tuple[int, ...]) -> tuple[int, int]:
    return value[0], value[1]
