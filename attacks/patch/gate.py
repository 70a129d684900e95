"""D3Net's depurator as an aim: to have depth dropped, or kept."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from rgbdsod.attacks.problem import Problem
from rgbdsod.errors import UsageError

GATES = ("none", "close", "open")
_THRESHOLD = 0.15  # of the published network: depth is kept below


@dataclass
class Watch:
    """What a pass told of the depurator.

    Args:
        distance: of RgbdNet's map and DepthNet's, (B,); None where nobody asked.
    """

    distance: Tensor | None = None


@contextmanager
def watched(victim: Problem, gate: str) -> Iterator[Watch]:
    """Listen to the depurator during a pass.

    Args:
        victim: what is attacked.
        gate: one of `GATES`; with "none" nothing is listened to.

    Raises:
        UsageError: the victim has no depurator.
    """
    seen = Watch()
    if gate == "none":
        yield seen
        return

    def listen(_: nn.Module, inputs: Any, outputs: dict[str, Tensor]) -> None:
        seen.distance = outputs["gate"]

    with ExitStack() as stack:
        stack.callback(depurator(victim, gate).register_forward_hook(listen).remove)
        yield seen


def depurator(victim: Problem, gate: str) -> nn.Module:
    """The part of D3Net that chooses between its streams.

    Args:
        victim: what is attacked.
        gate: what is wanted of it.

    Raises:
        UsageError: there is none.
    """
    for module in victim.modules:
        for part in module.modules():
            switch = getattr(part, "switch", None)
            if isinstance(switch, nn.Module) and hasattr(part, "depthnet"):
                return switch
    raise UsageError(f"--set gate={gate} moves the depurator of D3Net, and {victim.name} has none; leave gate out")


def open_gate(distance: Tensor, gate: str) -> Tensor:
    """How far the distance (B,) is on the wanted side of the threshold."""
    return distance - _THRESHOLD if gate == "close" else _THRESHOLD - distance
