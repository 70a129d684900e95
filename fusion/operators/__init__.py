"""Ways to combine two feature maps of one shape."""

from importlib import import_module
from typing import Any

from torch import nn

from rgbdsod.errors import UsageError
from rgbdsod.fusion.table import OPERATORS


def fusion_operator(name: str, width: int, **options: Any) -> nn.Module:
    """A module that combines an RGB and a depth feature map of one shape.

    Args:
        name: of a row in `OPERATORS`.
        width: channels of the maps.
        options: further arguments of the operator, such as `bottleneck` of "concat".

    Returns:
        A module that is called with (rgb, depth), each (B,C,H,W), and returns (B,C,H,W).

    Raises:
        UsageError: there is no such operator.

    Example:
        >>> import torch
        >>> from rgbdsod.fusion import fusion_operator
        >>> fusion_operator("gate", 8)(torch.ones(1, 8, 4, 4), torch.zeros(1, 8, 4, 4)).shape
        torch.Size([1, 8, 4, 4])
    """
    if name not in OPERATORS:
        raise UsageError(f'no fusion operator "{name}"; there are {", ".join(OPERATORS.names())}')
    row = OPERATORS[name]
    module, _, kind = row.module.partition(":")
    made: nn.Module = getattr(import_module(module), kind)(width, **{**row.options, **options})
    return made
