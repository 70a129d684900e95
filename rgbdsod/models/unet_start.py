"""Start a U-Net of any design from the two references: the networks of RGB alone and of depth alone."""

from copy import deepcopy

import torch
from torch import nn

from rgbdsod.errors import UsageError
from rgbdsod.fusion.extra_channels import InitExtra, widen
from rgbdsod.models.unet import OneStream, TwoMaps, Unet
from rgbdsod.models.unet_encoder import UnetEncoder
from rgbdsod.models.unet_streams import TwoStreams


def start_from(network: Unet, rgb: OneStream, depth: OneStream | None = None, init_extra: InitExtra = "mean") -> None:
    """Copy trained weights into a network that fuses, in place; its operators keep theirs.

    Args:
        network: of any design.
        rgb: a trained network of RGB alone, on the same encoder; its decoder is copied too.
        depth: a trained network of depth alone; None: depth's encoder starts as that of RGB.
        init_extra: what the filters of depth begin as in early fusion; "zero" starts exactly as `rgb`.

    Raises:
        UsageError: the encoders differ.
    """
    wanted = network.spec.encoder
    for name, one in (("rgb", rgb), ("depth", depth or rgb)):
        if one.spec.encoder != wanted:
            raise UsageError(f"{name} has encoder {one.spec.encoder}, the network {wanted}; train both on one")
    if isinstance(network, TwoMaps):
        network.rgb.load_state_dict(rgb.state_dict())
        if network.depth is not None:
            _copy_encoder((depth or rgb).encoder, network.depth.encoder)
            network.depth.decoder.load_state_dict((depth or rgb).decoder.state_dict())
        return
    if isinstance(network, TwoStreams):
        network.encoder.load_state_dict(rgb.encoder.state_dict())
        network.decoder.load_state_dict(rgb.decoder.state_dict())
        if network.depth_encoder is not None:
            shared = network.spec.siamese  # the weights are those of RGB
            _copy_encoder((rgb if shared else depth or rgb).encoder, network.depth_encoder)
        return
    if not isinstance(network, OneStream):
        raise UsageError(f"{type(network).__name__} is no U-Net of this package")
    encoder = deepcopy(rgb.encoder)
    extra = _first_filters(network).shape[1] - 3
    if extra > 0:
        widen(encoder.body, extra, init_extra)
    _copy_encoder(encoder, network.encoder)
    network.decoder.load_state_dict(rgb.decoder.state_dict())


def _copy_encoder(source: UnetEncoder, target: UnetEncoder) -> None:
    """Weights of an encoder; one that ends early takes what it has, one channel takes the sum of three filters.

    With a grey image repeated to three channels, the sum of the filters computes the same.
    """
    weights, wanted = source.state_dict(), target.state_dict()
    fitting = {name: weights[name] for name in wanted}
    for name, value in fitting.items():
        if value.shape != wanted[name].shape:
            fitting[name] = value.sum(dim=1, keepdim=True)
    with torch.no_grad():
        target.load_state_dict(fitting)


def _first_filters(network: nn.Module) -> torch.Tensor:
    """The weights of the first convolution."""
    return next(weight for weight in network.parameters() if weight.ndim == 4)
