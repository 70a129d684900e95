"""The two encoders of a network, each run on its own input alone: where alignment losses get their features."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from rgbdsod.errors import UsageError
from rgbdsod.models import SaliencyModel

STRIDE = 16
"""Input pixels per pixel of the features that are compared."""

NAMES = ("rgb", "depth")


@runtime_checkable
class TwoStreams(Protocol):
    """A network that names its two encoders."""

    def streams(self) -> Mapping[str, nn.Module]:
        """{"rgb": encoder, "depth": encoder}: each takes its normalised input and returns one or more feature maps."""
        ...


class Streams(nn.Module):
    """The encoders of a network (shared, not copied), each run on one input alone.

    A network that adds depth into its RGB encoder on the way has depth in its own RGB features, and comparing those
    with depth would be no comparison.

    Args:
        encoders: by input name; both may be the same module.
    """

    def __init__(self, encoders: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.encoders = nn.ModuleDict(encoders)

    def forward(self, name: str, x: Tensor) -> Tensor:
        """The last feature map (B,C,h,w) of stride 16 or less, of a normalised input (B,c,H,W)."""
        encoder = self.encoders[name]
        wanted = channels_of(encoder)
        found = encoder(x.expand(-1, wanted, -1, -1) if x.shape[1] == 1 else x)
        features: list[Tensor] = [found] if isinstance(found, Tensor) else list(found)
        fitting = [feature for feature in features if feature.shape[-1] * STRIDE >= x.shape[-1]]
        return fitting[-1]


def channels_of(encoder: nn.Module) -> int:
    """Channels of the images that an encoder takes."""
    return next(int(weight.shape[1]) for weight in encoder.parameters() if weight.ndim == 4)


def streams_of(model: SaliencyModel) -> Streams:
    """The two encoders of a model.

    Raises:
        UsageError: it has one input, one encoder for both inputs together, or does not say where its encoders are.
    """
    if set(model.inputs) != set(NAMES) or not isinstance(model.network, TwoStreams):
        raise UsageError(
            f"{model.name} names no separate encoders of RGB and depth, which alignment losses compare; choose a "
            "network with two streams (one of your own says so by a method `streams`), or leave these losses out"
        )
    return Streams(model.network.streams())


class OwnStatistics(nn.Module):
    """Running statistics of BatchNorm for passes on one input alone, beside those of the network's own passes.

    An encoder of RGB that gets depth added on the way has other statistics there; adding up both would spoil the
    network's, and its features of RGB alone, in evaluation mode, would be off without statistics of their own.

    Args:
        streams: the encoders; begins as their statistics are now.
    """

    def __init__(self, streams: nn.Module) -> None:
        super().__init__()
        self._norms = [part for part in streams.modules() if isinstance(part, _BatchNorm) and part.track_running_stats]
        for mine, norm, theirs in self._places():
            self.register_buffer(mine, norm.get_buffer(theirs).clone())

    def _places(self) -> Iterator[tuple[str, _BatchNorm, str]]:
        """Each own buffer's name, with the layer and the name of its buffer that it stands in for."""
        for index, norm in enumerate(self._norms):
            for theirs in ("running_mean", "running_var", "num_batches_tracked"):
                yield f"{theirs}_{index}", norm, theirs

    @contextmanager
    def used(self) -> Iterator[None]:
        """Meanwhile the encoders read and write these statistics."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def _swap(self) -> None:
        for mine, norm, theirs in self._places():
            self._buffers[mine], norm._buffers[theirs] = norm._buffers[theirs], self._buffers[mine]


@contextmanager
def unrecorded(module: nn.Module) -> Iterator[None]:
    """BatchNorm in training goes on using the statistics of the batch, but does not add them to its own."""
    norms = [part for part in module.modules() if isinstance(part, _BatchNorm)]
    before = [part.track_running_stats for part in norms]
    for part in norms:
        part.track_running_stats = part.track_running_stats and not part.training
    try:
        yield
    finally:
        for part, value in zip(norms, before, strict=True):
            part.track_running_stats = value


def widths_of(model: SaliencyModel, streams: Streams) -> tuple[dict[str, int], int]:
    """Channels of the compared features by input, and their stride, from one pass over an empty image."""
    height, width = model.size or (8 * STRIDE, 8 * STRIDE)
    modes = [(part, part.training) for part in streams.modules()]
    streams.eval()
    try:
        with torch.no_grad():
            found = {
                name: streams(name, model.prepare(name, torch.zeros(1, model.specs[name].channels, height, width,
                                                                    device=model.device)))
                for name in NAMES
            }  # fmt: skip
    finally:
        for part, mode in modes:
            part.training = mode
    if found["rgb"].shape[-2:] != found["depth"].shape[-2:]:
        raise UsageError(f"{model.name}: the encoders' features differ in size, so no place of one is one of the other")
    return {name: feature.shape[1] for name, feature in found.items()}, width // found["rgb"].shape[-1]
