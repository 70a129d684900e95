"""Which layer keeps the gradient from the inputs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from rgbdsod.attacks.problem import Problem
from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs


def no_gradient(problem: Problem, points: Inputs, name: str) -> UsageError:
    """What to tell someone whose model keeps the gradient from an input.

    Args:
        problem: what is attacked.
        points: the attacked inputs.
        name: the one that no gradient reaches.
    """
    where = broken_layer(problem, points, name) or "the model cuts the graph, or ignores this input"
    return UsageError(
        f'no gradient reaches input "{name}": {where} (detach, rounding, argmax, NumPy); give that part a '
        "substitute with rgbdsod.attacks.Bpda, or use an attack that sees outputs only, such as square"
    )


def broken_layer(problem: Problem, points: Inputs, name: str) -> str:
    """The first layer that takes values with a gradient and gives values without one, in words; "" if none does.

    Args:
        problem: what is attacked.
        points: the attacked inputs.
        name: the one that no gradient reaches.
    """
    seen: list[tuple[str, bool, bool]] = []
    with torch.enable_grad(), _watched(problem, seen):
        problem.forward({own: value.detach().requires_grad_(own == name) for own, value in points.items()})
    if cut := [layer for layer, takes, gives in seen if takes and not gives]:
        return f'layer "{cut[0]}" cuts the graph'
    reached = [place for place, (_, _, gives) in enumerate(seen) if gives]
    if not reached:
        return f'no layer from "{seen[0][0]}" on is reached' if seen else ""
    last = reached[-1]
    after = f' and before "{seen[last + 1][0]}"' if last + 1 < len(seen) else ""
    return f'the graph is cut after layer "{seen[last][0]}"{after}'


@contextmanager
def _watched(problem: Problem, seen: list[tuple[str, bool, bool]]) -> Iterator[None]:
    """Note of every layer that is called whether gradients enter and leave it."""
    handles = []
    for module in problem.modules:
        for name, part in module.named_modules():
            if not any(part.children()):

                def note(_: nn.Module, takes: Any, gives: Any, name: str = name or type(part).__name__) -> None:
                    seen.append((name, _differentiable(takes), _differentiable(gives)))

                handles.append(part.register_forward_hook(note))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _differentiable(value: Any) -> bool:
    """Whether any tensor in a nest of tuples, lists and dicts takes part in a graph."""
    if isinstance(value, Tensor):
        return value.requires_grad
    if isinstance(value, dict):
        return any(map(_differentiable, value.values()))
    return isinstance(value, (list, tuple)) and any(map(_differentiable, value))
