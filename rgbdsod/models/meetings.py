"""Where the streams of a network meet: its stages, and what arrives there."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from rgbdsod.models.table import ModelRow
from rgbdsod.models.zoo import hollow_network

INPUT = "input"
"""The first stage of every model: the inputs themselves, in [0, 1]."""

Shape = tuple[int, ...]


@runtime_checkable
class Meets(Protocol):
    """A network that names the places where its streams meet."""

    def meetings(self) -> Mapping[str, nn.Module]:
        """By name, in the order of a pass: modules called once a pass with a map of each input, in their order."""
        ...


def meetings_of(network: nn.Module) -> dict[str, nn.Module]:
    """The places where a network's streams meet; none for one that names none, such as a network of one input."""
    return dict(network.meetings()) if isinstance(network, Meets) else {}


@contextmanager
def hooked(module: nn.Module, replace: Callable[[int, Tensor], Tensor], streams: int = 2) -> Iterator[None]:
    """Meanwhile a meeting gets what `replace` makes of what arrives.

    Args:
        module: a meeting.
        replace: from the position of a stream and its map (B,C,h,w) to the map that takes its place.
        streams: how many meet.
    """

    def before(_: nn.Module, arriving: tuple[Any, ...]) -> tuple[Any, ...]:
        maps = arriving[:streams]
        return (*(replace(position, x) for position, x in enumerate(maps)), *arriving[streams:])

    handle = module.register_forward_pre_hook(before)
    try:
        yield
    finally:
        handle.remove()


def stage_names(row: ModelRow) -> tuple[str, ...]:
    """The stages of a model, in the order of a pass; its weights are not read."""
    return (INPUT, *meetings_of(hollow_network(row)))


def stage_shapes(row: ModelRow) -> dict[str, dict[str, Shape]]:
    """Shape (C, h, w) of what arrives at each stage of a model at its own size, by stage and input.

    Args:
        row: of the table, or with another fusion or encoder; its weights are not read.
    """
    network = hollow_network(row).eval()
    found: dict[str, dict[str, Shape]] = {
        INPUT: {name: (spec.channels, *row.size) for name, spec in row.inputs.items()}
    }
    device = next(network.parameters()).device
    inputs = [torch.zeros(1, spec.channels * spec.repeat, *row.size, device=device) for spec in row.inputs.values()]
    names = tuple(row.inputs)
    with torch.no_grad(), watched(network, lambda stage, at, x: _note(found, stage, names[at], x)):
        network(*inputs)
    return found


@contextmanager
def watched(network: nn.Module, look: Callable[[str, int, Tensor], None]) -> Iterator[None]:
    """Meanwhile `look` is shown every map that arrives at a meeting: its stage, the position of its stream, itself."""
    with ExitStack() as stack:
        for stage, module in meetings_of(network).items():

            def show(position: int, x: Tensor, stage: str = stage) -> Tensor:
                look(stage, position, x)
                return x

            stack.enter_context(hooked(module, show))
        yield


def _note(found: dict[str, dict[str, Shape]], stage: str, name: str, x: Tensor) -> None:
    found.setdefault(stage, {})[name] = tuple(x.shape[1:])
