"""BatchNorm statistics of an untrained network, without which its gradients are nothing but underflow."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from rgbdsod.attacks.randomness import stream

_IMAGES, _SIDE = 4, 128


def calibrate(network: nn.Module, run: Callable[[Tensor], object], *, seed: int = 0, side: int = _SIDE) -> None:
    """Set all BatchNorm statistics to those of one batch of random images; weights and modes stay.

    Args:
        network: whose statistics.
        run: runs all of it, in eval mode, on images (B,3,H,W) in [0, 1].
        seed: of the images.
        side: of the images, in pixels.
    """
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    handles = [norm.register_forward_pre_hook(_measure) for norm in norms]
    images = torch.rand((_IMAGES, 3, side, side), generator=stream(seed, "calibrate"))
    try:
        with torch.no_grad():
            run(images)
    finally:
        for handle in handles:
            handle.remove()


def _measure(norm: Any, inputs: tuple[Tensor, ...]) -> None:
    """Take the statistics of what arrives; the layers after it see it normalised by them."""
    variance, mean = torch.var_mean(inputs[0], (0, 2, 3), correction=0)
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(variance)
