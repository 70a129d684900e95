"""A network that was made for HHA, fed with depth: the encoding is its first layer."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from rgbdsod.datasets import HHAEncoder
from rgbdsod.errors import UsageError
from rgbdsod.models.base import SaliencyModel
from rgbdsod.models.table import IMAGENET_MEAN, IMAGENET_STD, RGB
from rgbdsod.models.unet import Unet


class ThroughHha(nn.Module):
    """Takes depth in [0, 1] and gives the network pseudo-HHA of it, normalised like an image.

    An attack on depth moves the map before the encoding, so no channel takes a value that depth could not give.
    `reads_hha` gives the model whose input are the channels themselves.

    Args:
        network: with an input "hha".

    Source:
        Gupta et al., "Learning Rich Features from RGB-D Images" (ECCV 2014, arXiv 1407.5736).
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: Unet) -> None:
        super().__init__()
        self.inputs = tuple("depth" if name == "hha" else name for name in network.inputs)
        self.network = network
        self.encoder = HHAEncoder.pseudo()
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1), persistent=False)

    def encode(self, name: str, x: Tensor) -> Any:
        """What the network computes of one input alone: normalised RGB (B,3,H,W), or depth in [0, 1] (B,1,H,W)."""
        if name != "depth":
            return self.network.encode(name, x)
        with _in_float32(x.device):
            image = self.encoder(x.float())
        return self.network.encode("hha", (image - self.mean) / self.std)

    def fuse(self, features: Mapping[str, Any]) -> dict[str, Tensor]:
        """The network's outputs."""
        return self.network.fuse({"hha" if name == "depth" else name: value for name, value in features.items()})

    def meetings(self) -> dict[str, nn.Module]:
        """Where the network's streams meet."""
        return self.network.meetings()

    def forward(self, *inputs: Tensor) -> dict[str, Tensor]:
        """The outputs of `fuse` for the inputs, in the order of `inputs`."""
        return self.fuse({name: self.encode(name, x) for name, x in zip(self.inputs, inputs, strict=True)})


def _in_float32(device: torch.device) -> AbstractContextManager[None]:
    """No autocast, since angles from half-precision points would be noise; tensors without values know none."""
    return nullcontext() if device.type == "meta" else torch.autocast(device.type, enabled=False)


def reads_hha(model: SaliencyModel) -> SaliencyModel:
    """The same network with the channels of HHA as its input, from one that makes them of depth.

    Args:
        model: of a design with HHA, such as `load_model("unet", fusion="early6")`.

    Returns:
        A model with the inputs "rgb" and "hha", both (B,3,H,W) in [0, 1]; the network is shared.

    Raises:
        UsageError: the model reads no HHA.
    """
    if not isinstance(model.network, ThroughHha):
        raise UsageError(f"{model.name} reads no HHA; load one that does, such as unet with fusion early6")
    specs = {"rgb": model.specs["rgb"], "hha": RGB}
    return SaliencyModel(model.network.network, specs, model.card, size=model.size, multiple=model.multiple)
