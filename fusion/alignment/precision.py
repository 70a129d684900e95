"""Losses are computed in float32 or wider, whatever the network computes in."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import torch
from torch import Tensor

Result = tuple[Tensor, dict[str, Tensor]]
"""A loss, one number, and what it looked like inside: single numbers without gradient, by name."""

_P = ParamSpec("_P")
_R = TypeVar("_R")


def full_precision(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Run a function of tensors in float32, outside autocast; similarities over a small temperature need it.

    Args:
        function: floating tensors among its arguments arrive as float32, or as float64 where they came so.
    """

    @wraps(function)
    def computed(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        given = [value for value in (*args, *kwargs.values()) if isinstance(value, Tensor)]
        device = given[0].device.type if given else "cpu"
        with torch.autocast(device, enabled=False):
            positional = [_float(value) for value in args]
            return function(*positional, **{name: _float(value) for name, value in kwargs.items()})

    return computed


def _float(value: Any) -> Any:
    if not isinstance(value, Tensor) or not value.is_floating_point() or value.dtype == torch.float64:
        return value
    return value.float()
