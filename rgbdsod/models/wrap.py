"""Bring any torch module: say what it takes and what it returns, and everything else here works with it."""

from collections.abc import Mapping, Sequence
from typing import Literal

from torch import nn

from rgbdsod.errors import UsageError
from rgbdsod.models.base import Card, SaliencyModel
from rgbdsod.models.table import InputSpec

Numbers = Sequence[float] | Mapping[str, Sequence[float]] | None
"""One number a channel, for the three-channel inputs or by input name."""


def wrap(
    module: nn.Module,
    *,
    inputs: Sequence[str] = ("rgb", "depth"),
    mean: Numbers = None,
    std: Numbers = None,
    size: tuple[int, int] | None = None,
    multiple: int = 1,
    output: str | int = "final",
    probability: bool = False,
    depth_channels: int = 1,
    near: Literal["bright", "dark"] = "bright",
    name: str | None = None,
) -> SaliencyModel:
    """A model from a torch module.

    Args:
        module: called with its inputs in the order of `inputs`; returns a map (B,1,H,W), or a tuple or dict of which
            `output` is one. A module with `inputs`, `encode` and `fuse` (see `rgbdsod.types.StagedNetwork`) is
            evaluated in parts, so that an attack on one input computes what the other needs once.
        inputs: names; "depth" is a map with one channel, every other name an image with three.
        mean: subtracted, by input name, or for the images if it is one sequence; None subtracts nothing.
        std: divided by, likewise.
        size: height and width that the module works at; None takes every input at its own size.
        multiple: height and width must be multiples of this.
        output: which output is the map, by name or by position, where there are several.
        probability: the map is a probability, not a logit.
        depth_channels: channels that the module wants of depth; above 1 the map is repeated.
        near: "dark" if near is 0 in the module's depth; here near is 1.
        name: what results are filed under; the class's name if None.

    Returns:
        The model; the module's train or eval mode is left as it is.

    Raises:
        UsageError: for something that is no module, or numbers that do not fit the channels.

    Example:
        >>> from torch import nn
        >>> from rgbdsod import wrap
        >>> model = wrap(nn.Conv2d(3, 1, 1), inputs=("rgb",), mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
        >>> model.inputs
        ('rgb',)
    """
    if not isinstance(module, nn.Module):
        raise UsageError(f"wrap takes a torch.nn.Module, but got {type(module).__name__}")
    if not inputs or len(set(inputs)) != len(inputs) or not all(key.isidentifier() and key != "size" for key in inputs):
        raise UsageError(f'inputs are {tuple(inputs)}; give each a name of its own that can be a keyword, not "size"')
    specs = {}
    for key in inputs:
        depth = key == "depth"
        repeat = depth_channels if depth else 1
        channels = 1 if depth else 3
        specs[key] = InputSpec(
            channels,
            repeat,
            mean=_numbers("mean", mean, key, channels * repeat),
            std=_numbers("std", std, key, channels * repeat),
            near=near if depth else "bright",
        )
    parameters = sum(parameter.numel() for parameter in module.parameters())
    kind = type(module).__name__
    card = Card(name or kind.lower(), kind, "given", parameters=parameters)
    return SaliencyModel(module, specs, card, size=size, multiple=multiple, output=output, probability=probability)


def _numbers(what: str, values: Numbers, name: str, channels: int) -> tuple[float, ...] | None:
    """The numbers for one input, checked against its channels."""
    if isinstance(values, Mapping):
        values = values.get(name)
    elif name == "depth":
        values = None
    if values is None:
        return None
    if len(values) != channels:
        raise UsageError(
            f'{what} of "{name}" has {len(values)} numbers, but the module takes {channels} channels of it'
        )
    if what == "std" and min(values) <= 0:
        raise UsageError(f'std of "{name}" is {tuple(values)}; it divides, so give numbers above 0')
    return tuple(float(value) for value in values)
