"""How far PGD-20 is from the floor: a bare loop of 20 forward and backward passes of the same frozen network.

    python benchmarks/attack_floor.py --models bbsnet,jldcf,d3net

For each network and modality: the time of PGD over that of the bare loop (whole network, gradient to attacked inputs
only, summed cross-entropy), and what partial evaluation leaves of the joint attack's time. All variants take turns
within a round, so that a busy machine slows all of them; printed are medians over the rounds.

Both sides run with an allocator that keeps freed memory. By default glibc hands it back between passes or does not,
depending on where a few small tensors happen to lie, and fetching it again costs either side up to 6 %.
"""

import ctypes
import time
from collections.abc import Callable
from statistics import median
from typing import Annotated

import torch
import typer
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from rgbdsod.attacks import Budget, MapProblem, frozen, pgd
from rgbdsod.errors import WeightsError
from rgbdsod.models import SaliencyModel, build_model, load_model

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # glibc, malloc.h
MODALITIES = {"rgb": ("rgb",), "depth": ("depth",), "both": ("rgb", "depth")}


def keep_freed_memory() -> None:
    """Tell glibc to reuse freed memory instead of returning it; does nothing with another allocator."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
        mallopt(_M_MMAP_THRESHOLD, 2**25)  # the largest it takes


def network(name: str, device: str) -> SaliencyModel:
    """The model with its weights, or untrained where it has none: time does not depend on them."""
    try:
        return load_model(name, device=device)
    except WeightsError:
        return build_model(name, seed=0, device=device).eval()


def bare_loop(
    model: SaliencyModel, inputs: dict[str, Tensor], masks: Tensor, attacked: tuple[str, ...], steps: int
) -> None:
    """Nothing but the passes."""
    size = (masks.shape[-2], masks.shape[-1])
    with frozen(model):
        for _ in range(steps):
            leaves = {name: inputs[name].detach().requires_grad_() for name in attacked}
            features = {name: model.encode(name, {**inputs, **leaves}[name]) for name in model.inputs}
            loss = binary_cross_entropy_with_logits(model.fuse(features, size), masks, reduction="sum")
            torch.autograd.grad(loss, list(leaves.values()))


def seconds(run: Callable[[], object], clock: Callable[[], float], device: str) -> float:
    """How long a call takes."""
    if device == "cuda":
        torch.cuda.synchronize()
    start = clock()
    run()
    if device == "cuda":
        torch.cuda.synchronize()
    return clock() - start


def variants(model: SaliencyModel, batch: int, size: int, steps: int) -> dict[tuple[str, str], Callable[[], object]]:
    """What takes turns: ("bare" or "pgd", modality) -> call."""
    generator = torch.Generator().manual_seed(0)
    device = next(model.parameters()).device
    shapes = {"rgb": (batch, 3, size, size), "depth": (batch, 1, size, size)}
    inputs = {name: torch.rand(shape, generator=generator).to(device) for name, shape in shapes.items()}
    masks = (torch.rand((batch, 1, size, size), generator=generator) > 0.7).float().to(device)
    problem = MapProblem(model, masks)
    runs: dict[tuple[str, str], Callable[[], object]] = {}
    for modality, names in MODALITIES.items():
        threat = {name: Budget() for name in names}
        runs["bare", modality] = lambda names=names: bare_loop(model, inputs, masks, names, steps)
        runs["pgd", modality] = lambda threat=threat: pgd(problem, inputs, threat, steps=steps)
    return runs


def main(
    models: Annotated[str, typer.Option(help="Names, separated by commas.")] = "bbsnet,jldcf,d3net",
    steps: int = 20,
    rounds: int = 5,
    batch: int = 1,
    size: Annotated[int, typer.Option(help="Side of the square inputs.")] = 256,
    threads: int = 1,
    clock: Annotated[str, typer.Option(help="wall, or cpu on a machine that is busy with other work.")] = "wall",
    device: str = "cpu",
) -> None:
    """Print one line for each network."""
    keep_freed_memory()
    torch.set_num_threads(threads)
    now = time.process_time if clock == "cpu" else time.perf_counter
    print(
        f"PGD-{steps} over {steps} bare passes ({rounds} rounds, batch {batch}, {size}x{size}, {device}, {clock} clock)"
    )
    print(
        f"{'network':<10}{'rgb':>8}{'depth':>8}{'both':>8}   share of joint: {'rgb':>6}{'depth':>8}{'  one step':>10}"
    )
    for name in models.split(","):
        runs = variants(network(name, device), batch, size, steps)
        for run in runs.values():
            run()  # warm up
        order = list(runs)
        times = []
        for _ in range(rounds):
            times.append({key: seconds(runs[key], now, device) for key in order})
            order.reverse()  # so that neither of a pair always comes second
        floor = [median(t["pgd", m] / t["bare", m] for t in times) for m in MODALITIES]
        share = [median(t["pgd", m] / t["pgd", "both"] for t in times) for m in ("rgb", "depth")]
        step = median(t["bare", "both"] for t in times) / steps
        print(
            f"{name:<10}"
            + "".join(f"{r:8.3f}" for r in floor)
            + " " * 19
            + f"{share[0]:6.2f}{share[1]:8.2f}{step:9.3f}s"
        )


if __name__ == "__main__":
    typer.run(main)
