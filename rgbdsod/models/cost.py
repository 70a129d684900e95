"""What a network costs: parameters, multiplications and additions, and seconds on this machine."""

import time
from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from rgbdsod.models.table import ModelRow
from rgbdsod.models.zoo import built_network, hollow_network

TIMED = 8e9
"""Networks with more multiply-adds than this are not timed by the way: it would take seconds."""


@dataclass(frozen=True)
class Cost:
    """What one image costs.

    Args:
        parameters: numbers in the network.
        macs: multiply-adds of convolutions and matrix products in a forward pass of one image at the network's size.
        seconds: of a forward and a backward pass of one image on the CPU; None where it was not timed.
        threads: with which it was timed.
    """

    parameters: int
    macs: int
    seconds: float | None
    threads: int


def network_cost(row: ModelRow, *, timed: bool | None = None) -> Cost:
    """What the network of a row costs; its weights are not read.

    Args:
        row: of the table, or with another fusion or encoder.
        timed: measure seconds; None: where it is a matter of a second.
    """
    network = hollow_network(row).eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(*_inputs(row, next(network.parameters()).device))
    macs = counter.get_total_flops() // 2
    timed = macs <= TIMED if timed is None else timed
    return Cost(
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        macs=macs,
        seconds=_seconds(row) if timed else None,
        threads=torch.get_num_threads(),
    )


def _inputs(row: ModelRow, device: torch.device) -> list[torch.Tensor]:
    """One image of zeros as the network reads it, by input."""
    return [torch.zeros(1, spec.channels * spec.repeat, *row.size, device=device) for spec in row.inputs.values()]


def _seconds(row: ModelRow) -> float:
    """The shorter of two passes, since the first also allocates."""
    with torch.random.fork_rng(devices=[]):
        network = built_network(row).eval()
    taken = []
    for _ in range(2):
        inputs = [x.requires_grad_() for x in _inputs(row, torch.device("cpu"))]
        begin = time.perf_counter()
        outputs = network(*inputs)
        torch.autograd.grad(outputs["final"].sum(), inputs, allow_unused=True)
        taken.append(time.perf_counter() - begin)
    return min(taken)
