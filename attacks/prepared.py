"""A frozen copy of a network that gives the same outputs sooner: BatchNorm folded, channels last."""

import copy
from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from rgbdsod.attacks.problem import frozen
from rgbdsod.errors import UsageError

_TOLERANCE = 1e-5  # relative to the largest output

Call = Callable[[nn.Module], Tensor]
"""Runs a network on some inputs."""


def prepare(network: nn.Module, call: Call, *, compiled: bool = False) -> nn.Module:
    """A copy of a network for an attack's passes; it shares nothing with the original, and is never trained.

    A BatchNorm is folded into its convolution where it is the only one to read the convolution's output. Whether the
    copy may be used is asked on real inputs: its outputs must be the original's. The verdict on a result belongs to
    the original network all the same.

    Args:
        network: any module.
        call: runs a module on a few inputs of the attack and returns its outputs.
        compiled: also compile it with `torch.compile`.

    Returns:
        The copy, in eval mode, without weight gradients.

    Raises:
        UsageError: the copy's outputs differ from the network's by more than 1e-5 of the largest.

    Example:
        >>> import torch
        >>> from rgbdsod.attacks.prepared import prepare
        >>> network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4)).eval()
        >>> copy = prepare(network, lambda one: one(torch.ones(1, 3, 8, 8)))
        >>> type(copy[1]).__name__
        'Identity'
    """
    with torch.no_grad(), frozen(network):
        expected = call(network)
        ready = copy.deepcopy(network).requires_grad_(False)
        _fold(ready, call)
        for part in ready.modules():
            for weight in part.parameters(recurse=False):
                if weight.ndim == 4:
                    weight.data = weight.data.contiguous(memory_format=torch.channels_last)
        if compiled:
            ready.compile()
        found = call(ready)
    gap = float((found - expected).abs().max() / expected.abs().max().clamp_min(1e-12))
    if not gap <= _TOLERANCE:
        raise UsageError(f"the prepared network's outputs differ by {gap:.2g} of the largest; attack the original")
    return ready


def _fold(network: nn.Module, call: Call) -> None:
    """Fold every BatchNorm that alone reads the output of a convolution."""
    for convolution, norm in _pairs(network, call):
        first, second = cast(nn.Conv2d, network.get_submodule(convolution)), network.get_submodule(norm)
        fused = fuse_conv_bn_eval(first, cast(nn.BatchNorm2d, second))
        network.set_submodule(convolution, fused)
        network.set_submodule(norm, nn.Identity())


def _pairs(network: nn.Module, call: Call) -> list[tuple[str, str]]:
    """Names of convolutions and the BatchNorms that follow them, each called once in a pass."""
    made: dict[int, tuple[str, Tensor]] = {}
    readers: dict[str, list[str]] = {}
    calls: dict[str, int] = {}
    handles = []
    for name, part in network.named_modules():

        def note(layer: nn.Module, takes: tuple[Any, ...], gives: Any, name: str = name) -> None:
            calls[name] = calls.get(name, 0) + 1
            for value in takes:
                if isinstance(value, Tensor) and id(value) in made and not any(layer.children()):
                    readers.setdefault(made[id(value)][0], []).append(name)
            if isinstance(layer, nn.Conv2d):
                made[id(gives)] = (name, gives)  # kept, so that its id stays its own

        handles.append(part.register_forward_hook(note))
    try:
        call(network)
    finally:
        for handle in handles:
            handle.remove()
    layers = dict(network.named_modules())
    return [
        (name, read[0])
        for name, read in readers.items()
        if len(read) == 1 and calls[name] == calls[read[0]] == 1 and _foldable(layers[name], layers[read[0]])
    ]


def _foldable(convolution: nn.Module, norm: nn.Module) -> bool:
    return (
        type(convolution) is nn.Conv2d
        and isinstance(norm, nn.BatchNorm2d)
        and type(norm).forward is nn.BatchNorm2d.forward
        and norm.track_running_stats
    )
