"""A network that reads HHA, fed with depth: what lets an attack act on depth through the encoding."""

from collections.abc import Mapping
from typing import Any, Self

import torch
from torch import Tensor

from rgbdsod.datasets.hha.encoder import HHAEncoder
from rgbdsod.datasets.hha.exact import ExactHHA
from rgbdsod.errors import UsageError
from rgbdsod.models.base import SaliencyModel
from rgbdsod.models.table import InputSpec

Encoding = HHAEncoder | ExactHHA

_TAKEN = {"depth": "hha"}
"""Inputs of this model, and what they become for the one that reads them."""


class ThroughDepth(SaliencyModel):
    """A model with the input "depth" from one with the input "hha"; the network is shared.

    An attack's steps take `held`, whose gravity and floor are those of the clean depth, and which has gradients; the
    verdict takes `exact`, which encodes as a file would be encoded, with gravity found anew. Both belong to the images
    of one batch; the attacks reduce them with `select` where images leave it.

    Args:
        model: reads "hha", and maybe "rgb".
        encoder: from depth in [0, 1] to HHA; without a scale depth would be metres.

    Raises:
        UsageError: the model reads no HHA, or depth beside it; the encoder gives four channels or has no scale.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from rgbdsod import wrap
        >>> from rgbdsod.datasets import HHAEncoder
        >>> from rgbdsod.models import ThroughDepth
        >>> class ReadsHha(nn.Module):
        ...     def forward(self, rgb, hha):
        ...         return hha[:, :1] - rgb.mean(1, keepdim=True)
        >>> model = ThroughDepth(wrap(ReadsHha(), inputs=("rgb", "hha")), HHAEncoder.pseudo())
        >>> model(rgb=torch.rand(1, 3, 32, 32), depth=torch.rand(1, 1, 32, 32)).shape
        torch.Size([1, 1, 32, 32])
    """

    def __init__(self, model: SaliencyModel, encoder: Encoding) -> None:
        if "hha" not in model.inputs or "depth" in model.inputs:
            raise UsageError(
                f"{model.name} has inputs {', '.join(model.inputs)}; depth goes through the encoding into a model that "
                'has "hha" and no "depth"'
            )
        if isinstance(encoder, HHAEncoder) and encoder.missing == "mask":
            raise UsageError(f'{model.name} takes 3 channels of HHA; missing="mask" makes 4; use "reference" or "mean"')
        if encoder.scale is None:
            raise UsageError("an attack's depth is in [0, 1]; give the encoder a scale, such as DepthScale(1, 10)")
        specs = {("depth" if name == "hha" else name): spec for name, spec in model.specs.items()}
        super().__init__(
            model.network,
            specs | {"depth": InputSpec(1)},
            model.card,
            size=model.size,
            multiple=model.multiple,
            output=model.output,
            probability=model.probability,
            align_corners=model.align_corners,
        )
        self.reader = model
        self.encoder = encoder

    def hha(self, depth: Tensor) -> Tensor:
        """What the network reads in the place of depth (B,1,H,W): (B,3,H,W) in [0, 1]."""
        with torch.autocast(depth.device.type, enabled=False):  # metres and angles need float32
            encoded: Tensor = self.encoder(depth)
        return encoded

    def encode(self, name: str, x: Tensor) -> Any:
        """What can be computed from one input alone; of depth the encoding and the network's own stage for HHA."""
        return self.reader.encode(_TAKEN.get(name, name), self._taken(name, x))

    def fuse(self, features: Mapping[str, Any], size: tuple[int, int]) -> Tensor:
        """Logits (B,1,H,W) at `size` = (H, W), from what `encode` returned for every input."""
        return self.reader.fuse({_TAKEN.get(name, name): own for name, own in features.items()}, size)

    def prepare(self, name: str, x: Tensor) -> Tensor:
        """The network's own input, at its size; depth is encoded before it is resized."""
        return self.reader.prepare(_TAKEN.get(name, name), self._taken(name, x))

    def at(self, size: tuple[int, int] | None) -> Self:
        """The same network working at another size; the encoding is that of the depth's own size."""
        return type(self)(self.reader.at(size), self.encoder)

    def held(self, depth: Tensor, valid: Tensor | None = None) -> Self:
        """The model for one batch, with gravity and floor as they are in its clean depth.

        Args:
            depth: (B,1,H,W) in [0, 1], clean.
            valid: (B,1,H,W) bool, where it was measured; None: everywhere.
        """
        return type(self)(self.reader, self._encoder().held(depth, valid))

    def exact(self, valid: Tensor | None = None) -> Self:
        """The model for one batch, with the HHA that its files would have; without gradient to depth."""
        return type(self)(self.reader, ExactHHA.like(self._encoder(), valid))

    def select(self, index: Tensor) -> Self:
        """The model for some of the samples that it belongs to, by index along the batch."""
        return type(self)(self.reader, self.encoder.select(index))

    def record(self) -> dict[str, Any]:
        """The encoding, for a run's record."""
        camera, scale, gravity = self.encoder.camera, self.encoder.scale, self.encoder.gravity
        return {
            "camera": camera if isinstance(camera, str) else torch.as_tensor(camera).tolist(),
            "scale": None if scale is None else scale.words,
            "gravity": "estimated" if gravity is None else torch.as_tensor(gravity).tolist(),
        }

    def _encoder(self) -> HHAEncoder:
        if not isinstance(self.encoder, HHAEncoder):
            raise UsageError(f"{self.name} is the exact one of a batch already; begin from the model that it came from")
        return self.encoder

    def _taken(self, name: str, x: Tensor) -> Tensor:
        return self.hha(x) if name == "depth" else x
