"""What a step of each hardening method costs, in forward and backward passes of the same network.

    python benchmarks/training_steps.py
    python benchmarks/training_steps.py --models bbsnet,d3net --size 128 --batch 8 --steps 5

The unit is one forward and backward pass of clean training: outputs, loss, gradients of all weights. A step of PGD-AT
is k such passes for the attack and one for the weights; the attack's own are cheaper, since they end at the inputs.
"bare" is a loop of k passes to the inputs and one to the weights, without anything else, in the same unit. All take
turns within a round; a cell is the median over rounds. The optimiser's update is in none of them.
"""

import time
from collections.abc import Callable
from statistics import median
from typing import Annotated

import torch
import typer
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from rgbdsod.attacks import Budget, frozen
from rgbdsod.defenses import MAP_HARDENINGS, map_hardening
from rgbdsod.models import SaliencyModel, build_model, training_loss
from rgbdsod.run.training_step import Memory, Step

Batch = dict[str, Tensor]


def images(batch: int, size: int, device: str) -> Batch:
    """Noise, with a mask."""
    generator = torch.Generator().manual_seed(0)
    shapes = {"rgb": (batch, 3, size, size), "depth": (batch, 1, size, size), "mask": (batch, 1, size, size)}
    made = {name: torch.rand(shape, generator=generator).to(device) for name, shape in shapes.items()}
    return made | {"mask": (made["mask"] > 0.7).float()}


def bare(model: SaliencyModel, batch: Batch, steps: int) -> None:
    """Passes to the inputs, and one to the weights."""
    size = (batch["mask"].shape[-2], batch["mask"].shape[-1])
    with frozen(model):
        for _ in range(steps):
            leaves = {name: batch[name].detach().requires_grad_() for name in model.inputs}
            logits = model.fuse({name: model.encode(name, leaf) for name, leaf in leaves.items()}, size)
            loss = binary_cross_entropy_with_logits(logits, batch["mask"], reduction="sum")
            torch.autograd.grad(loss, list(leaves.values()))
    clean(model, batch)


def clean(model: SaliencyModel, batch: Batch) -> None:
    """The unit: forward and backward of clean training."""
    losses = training_loss(model.card.architecture)(model.outputs(batch), batch["mask"])
    losses.mean().backward()  # type: ignore[no-untyped-call]


def contestants(model: SaliencyModel, batch: Batch, steps: int, modality: str) -> dict[str, Callable[[], None]]:
    """What takes turns, by name."""
    names = model.inputs if modality == "both" else (modality,)
    threat, loss, memory = (
        {name: Budget(eps=4 / 255) for name in names},
        training_loss(model.card.architecture),
        Memory(),
    )
    ids = [str(place) for place in range(len(batch["mask"]))]

    def hardened(name: str) -> Callable[[], None]:
        own = {"steps": steps} if "steps" in MAP_HARDENINGS[name].settings else {}
        method = map_hardening(name, threat, **own)

        def run() -> None:
            step = Step(model, batch, loss, seed=0, number=0, sample_ids=ids, memory=memory)
            method.losses(step).mean().backward()  # type: ignore[no-untyped-call]

        return run

    found: dict[str, Callable[[], None]] = {"clean": lambda: clean(model, batch)}
    found["bare"] = lambda: bare(model, batch, steps)
    return found | {row.name: hardened(row.name) for row in MAP_HARDENINGS}


def main(
    models: Annotated[str, typer.Option(help="Names, separated by commas.")] = "bbsnet",
    modality: Annotated[str, typer.Option(help="rgb, depth or both.")] = "both",
    size: Annotated[int, typer.Option(help="Side of the square inputs.")] = 128,
    batch: int = 8,
    steps: Annotated[int, typer.Option(help="k, of the attacks of pgd and trades.")] = 5,
    rounds: int = 5,
    threads: int = 1,
    clock: Annotated[str, typer.Option(help="wall, or cpu on a machine that is busy with other work.")] = "cpu",
    device: str = "cpu",
) -> None:
    """Print one line for each network."""
    torch.set_num_threads(threads)
    now = {"cpu": time.process_time, "wall": time.perf_counter}[clock]
    print(f"a step in passes of clean training (k {steps}, batch {batch}, {size}x{size}, {device}, {clock} clock)")
    print(f"{'network':<12}" + "".join(f"{name:>9}" for name in ("bare", *MAP_HARDENINGS.names())) + "  pgd/(k+1)")
    for name in models.split(","):
        model = build_model(name, seed=0, device=device).at((size, size)).train()
        turns = contestants(model, images(batch, size, device), steps, modality)
        times: dict[str, list[float]] = {key: [] for key in turns}
        for number in range(rounds + 1):
            for key, run in turns.items():
                model.zero_grad(set_to_none=True)
                start = now()
                run()
                if device == "cuda":
                    torch.cuda.synchronize()
                if number:  # the first round warms up
                    times[key].append(now() - start)
        unit = median(times.pop("clean"))
        ratios = {key: median(values) / unit for key, values in times.items()}
        cells = "".join(f"{value:9.2f}" for value in ratios.values())
        print(f"{name:<12}{cells}{ratios['pgd'] / (steps + 1):11.3f}")


if __name__ == "__main__":
    typer.run(main)
