"""The adapter around every network: inputs in [0, 1] in, one logit per pixel out."""

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from math import isnan
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rgbdsod.errors import UsageError
from rgbdsod.models.prepare import Preparation
from rgbdsod.models.sizes import check_size
from rgbdsod.models.table import InputSpec, Paper
from rgbdsod.types import Inputs, StagedNetwork

_SMALLEST = 1e-6  # probabilities nearer to 0 or 1 than this have no useful logit in float32
_SLACK = 1e-4  # resizing leaves values this little outside [0, 1]


@dataclass(frozen=True)
class Card:
    """What a run records about a model.

    Args:
        name: the full name, such as `bbsnet.demo`.
        architecture: "bbsnet", "jldcf", "d3net", or the class of a user's module.
        source: where the weights come from: "built in", a path, "untrained", or "given".
        sha256: of the weights file, None without one.
        bytes: size of the weights file.
        parameters: numbers in the network.
        fusion: where the modalities meet, "" if unknown.
        paper: the publication, None if unknown.
        licence: of the weights, "" if unknown.
        note: a sentence that tables made with these weights carry.
    """

    name: str
    architecture: str
    source: str
    sha256: str | None = None
    bytes: int | None = None
    parameters: int = 0
    fusion: str = ""
    paper: Paper | None = None
    licence: str = ""
    note: str = ""


class SaliencyModel(nn.Module):
    """A network with its preprocessing; satisfies `rgbdsod.types.MapModel`.

    Args:
        network: takes its own normalised inputs; returns logits, or a tuple or dict that holds them. A
            `StagedNetwork` is evaluated in parts: what depends on one input can be kept while the other changes.
        specs: preprocessing by input name, in the order of the network's arguments.
        card: what a run records.
        size: height and width that the network works at; None takes every input at its own size.
        multiple: height and width that the network works at are multiples of this.
        output: which output is the map, by name or position, where there are several.
        probability: that output is a probability.
        align_corners: how the logits are enlarged to the size that is asked for.
    """

    def __init__(
        self,
        network: nn.Module,
        specs: Mapping[str, InputSpec],
        card: Card,
        *,
        size: tuple[int, int] | None = None,
        multiple: int = 1,
        output: str | int = "final",
        probability: bool = False,
        align_corners: bool = False,
    ) -> None:
        super().__init__()
        self.network = network
        self.specs = dict(specs)
        self.inputs = tuple(specs)
        self.preparations = nn.ModuleList(Preparation(spec) for spec in specs.values())
        self.card = card
        self.name = card.name
        self.size = size
        self.multiple = multiple
        self.output = output
        self.probability = probability
        self.align_corners = align_corners
        self.staged = isinstance(network, StagedNetwork)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next((value.device for value in self.network.parameters()), torch.device("cpu"))

    def forward(self, **inputs: Tensor) -> Tensor:
        """Logits for checked inputs.

        Args:
            inputs: by name, (B,C,H,W) in [0, 1]; depth has one channel and near = 1.

        Returns:
            Logits (B,1,H,W) at the inputs' size.

        Raises:
            UsageError: for a missing or unknown name, a wrong shape, NaN, or values outside [0, 1].
        """
        self.check(inputs)
        return self.logits(self.outputs(inputs), _size(inputs))

    def encode(self, name: str, x: Tensor) -> Any:
        """What can be computed from one input alone; unchecked, since an attack calls it in its loop.

        Args:
            name: one of `inputs`.
            x: (B,C,H,W) in [0, 1].
        """
        prepared = self.prepare(name, x)
        return self.network.encode(name, prepared) if self.staged else prepared  # type: ignore[operator]

    def fuse(self, features: Mapping[str, Any], size: tuple[int, int]) -> Tensor:
        """Logits (B,1,H,W) at `size` = (H, W), from what `encode` returned for every input."""
        return self.logits(self._join(features), size)

    def prepare(self, name: str, x: Tensor) -> Tensor:
        """The network's own input `name`, at its size, from (B,C,H,W) in [0, 1]."""
        prepared: Tensor = self.preparations[self.inputs.index(name)](x, self._working_size(x))
        return prepared

    def outputs(self, inputs: Inputs) -> dict[str, Tensor]:
        """All outputs of the network by name, at its size, from unchecked inputs in [0, 1]; for training losses."""
        return _named(self.network(*(self.prepare(name, inputs[name]) for name in self.inputs)), self.output)

    def predict(self, *, size: tuple[int, int] | None = None, **inputs: Tensor) -> Tensor:
        """Saliency maps as they are saved, without gradient.

        Args:
            size: height and width of the maps; the inputs' if None.
            inputs: as for a call.

        Returns:
            uint8 (B,H,W): sigmoid times 255, rounded; or the network's own 8-bit rule where it has one (D3Net).
        """
        self.check(inputs)
        with torch.no_grad():
            outputs, size = self.outputs(inputs), size or _size(inputs)
            own_rule = getattr(self.network, "predict_maps", None)
            if own_rule is not None:
                maps: Tensor = own_rule(outputs, size)
                return maps
            return (self.logits(outputs, size).sigmoid() * 255).round().to(torch.uint8)[:, 0]

    def at(self, size: tuple[int, int] | None) -> Self:
        """The same network (shared, not copied) working at another size (H, W); None is every input's own size."""
        other = copy(self)
        other.size = size
        if size is not None:
            check_size(self.name, size, self.multiple)
        return other

    def check(self, inputs: Inputs) -> None:
        """Refuse inputs that this model cannot take; waits for the device once per input.

        Raises:
            UsageError: see `forward`.
        """
        if inputs.keys() != set(self.inputs):
            raise UsageError(f"{self.name} has inputs {', '.join(self.inputs)}; got {', '.join(inputs) or 'none'}")
        first = inputs[self.inputs[0]]
        for name, x in inputs.items():
            _check_shape(name, x, self.specs[name].channels)
            if (x.shape[0], *x.shape[-2:]) != (first.shape[0], *first.shape[-2:]):
                raise UsageError(
                    f'input "{self.inputs[0]}" is {_text(first.shape)} but "{name}" is {_text(x.shape)}; '
                    "give both the same batch, height and width"
                )
            _check_range(name, x)

    def _join(self, features: Mapping[str, Any]) -> dict[str, Tensor]:
        if self.staged:
            return _named(self.network.fuse(features), self.output)  # type: ignore[operator]
        return _named(self.network(*(features[name] for name in self.inputs)), self.output)

    def logits(self, outputs: Mapping[str, Tensor], size: tuple[int, int]) -> Tensor:
        """The final map's logits (B,1,H,W) at `size` = (H, W), among what `outputs` returned."""
        logits = self._map(outputs)
        if logits.dtype in (torch.float16, torch.bfloat16):
            logits = logits.float()  # a logit of 30 has steps of 0.125 in bfloat16
        if logits.shape[-2:] == size:
            return logits
        return F.interpolate(logits, size, mode="bilinear", align_corners=self.align_corners)

    def _map(self, outputs: Mapping[str, Tensor]) -> Tensor:
        """The logits among the outputs; a network that returns probabilities may give its logits beside them."""
        if self.probability and "logit" in outputs:
            return outputs["logit"]
        key = str(self.output)
        if key not in outputs and len(outputs) > 1:
            raise UsageError(
                f"{self.name} has no output {key!r} among {', '.join(outputs)}; choose one with output=..."
            )
        value = outputs[key] if key in outputs else next(iter(outputs.values()))
        if value.ndim != 4 or value.shape[1] != 1:
            raise UsageError(f"{self.name} returned {_text(value.shape)}; a map is (B, 1, H, W), one logit per pixel")
        return value.clamp(_SMALLEST, 1 - _SMALLEST).logit() if self.probability else value

    def _working_size(self, x: Tensor) -> tuple[int, int]:
        height, width = self.size or (int(x.shape[-2]), int(x.shape[-1]))
        check_size(self.name, (height, width), self.multiple)
        return height, width


def _size(inputs: Inputs) -> tuple[int, int]:
    height, width = next(iter(inputs.values())).shape[-2:]
    return int(height), int(width)


def _text(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))


def _named(outputs: Any, wanted: str | int) -> dict[str, Tensor]:
    """Outputs by name; a single tensor gets the wanted name, those of a tuple their positions."""
    if isinstance(outputs, Tensor):
        return {str(wanted): outputs}
    if isinstance(outputs, Mapping):
        return {str(name): value for name, value in outputs.items()}
    return {str(index): value for index, value in enumerate(outputs)}


def _check_shape(name: str, x: Tensor, channels: int) -> None:
    if not isinstance(x, Tensor) or x.ndim != 4 or x.shape[1] != channels or 0 in x.shape:
        came = _text(x.shape) if isinstance(x, Tensor) else type(x).__name__
        raise UsageError(f'input "{name}" is {came}; pass a tensor (B, {channels}, H, W)')
    if not x.is_floating_point():
        raise UsageError(f'input "{name}" is {x.dtype}; pass floating point in [0, 1] (divide 8-bit images by 255)')


def _check_range(name: str, x: Tensor) -> None:
    lowest, highest = torch.stack(torch.aminmax(x.detach())).tolist()
    if isnan(lowest):
        raise UsageError(f'input "{name}" holds NaN; fill the holes (a depth of 0 is far) before passing it')
    if lowest < -_SLACK or highest > 1 + _SLACK:
        raise UsageError(
            f'input "{name}" has values from {lowest:.2f} to {highest:.2f}; pass images in [0, 1], '
            "the model normalises them itself"
        )
