"""What one step of a patch attack costs beside a bare forward and backward pass of the same frozen network.

    python benchmarks/patch_steps.py
    python benchmarks/patch_steps.py --models bbsnet.paper --size 352 --rounds 2 --steps 3

A step takes one draw of the transforms for the whole batch, lays the patch, asks the network, differentiates down to
the patch, and moves it. The bare pass differentiates a summed cross-entropy to the inputs that carry the patch, through
the whole network. All variants take turns within a round; a cell is the median over rounds of the mean step over the
mean bare pass: what happens by chance, such as JPEG, makes steps differ. Steps that also look at the patch (each 20th)
are not among those counted.
"""

import time
from collections.abc import Callable
from itertools import pairwise
from statistics import fmean, median
from typing import Annotated

import torch
import typer
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from rgbdsod.attacks import Budget, MapProblem, adversarial_patch, frozen
from rgbdsod.errors import WeightsError
from rgbdsod.models import SaliencyModel, build_model, load_model

MODALITIES = {"rgb": ("rgb",), "depth": ("depth",), "both": ("rgb", "depth")}
Clock = Callable[[], float]


def network(name: str, device: str) -> SaliencyModel:
    """The model with its weights, or untrained where it has none: time does not depend on them."""
    try:
        return load_model(name, device=device)
    except WeightsError:
        return build_model(name, seed=0, device=device).eval()


def clock_of(kind: str, device: str) -> Clock:
    """Seconds; an accelerator is waited for."""

    def waited() -> float:
        torch.cuda.synchronize()
        return time.perf_counter()

    return waited if device == "cuda" else {"cpu": time.process_time, "wall": time.perf_counter}[kind]


def bare(model: SaliencyModel, inputs: dict[str, Tensor], masks: Tensor, attacked: tuple[str, ...], now: Clock,
         steps: int) -> float:  # fmt: skip
    """Seconds of a bare pass, the mean."""
    size, found = (masks.shape[-2], masks.shape[-1]), []
    with frozen(model):
        for _ in range(steps):
            start = now()
            leaves = {name: inputs[name].detach().requires_grad_() for name in attacked}
            features = {name: model.encode(name, {**inputs, **leaves}[name]) for name in model.inputs}
            loss = binary_cross_entropy_with_logits(model.fuse(features, size), masks, reduction="sum")
            torch.autograd.grad(loss, list(leaves.values()))
            found.append(now() - start)
    return fmean(found)


def patched(problem: MapProblem, inputs: dict[str, Tensor], attacked: tuple[str, ...], transforms: str, now: Clock,
            steps: int) -> float:  # fmt: skip
    """Seconds of a step, the mean of those that do not look as well."""
    ticks: list[float] = []
    threat = {name: Budget(eps=1.0) for name in attacked}
    adversarial_patch(
        problem, inputs, threat, steps=steps + 1, draws=1, transforms=transforms, patch_size="5%",
        callback=lambda *_: ticks.append(now()),
    )  # fmt: skip
    own = [after - before for before, after in pairwise(ticks)]
    return fmean(own[:steps])  # the first step, which looks, ends at the first tick; the last pass is a look


def ratios(model: SaliencyModel, batch: int, size: int, presets: list[str], rounds: int, steps: int,
           modalities: list[str], now: Clock) -> tuple[dict[tuple[str, str], float], float]:  # fmt: skip
    """Step over bare pass by (modality, preset), and seconds of a bare pass."""
    generator = torch.Generator().manual_seed(0)
    device = next(model.parameters()).device
    shapes = {"rgb": (batch, 3, size, size), "depth": (batch, 1, size, size)}
    inputs = {name: torch.rand(shape, generator=generator).to(device) for name, shape in shapes.items()}
    masks = (torch.rand((batch, 1, size, size), generator=generator) > 0.7).float().to(device)
    problem, found, floors = MapProblem(model, masks), {}, []
    for number in range(rounds + 1):
        for modality in modalities:
            attacked = MODALITIES[modality]
            before = bare(model, inputs, masks, attacked, now, steps)
            times = {preset: patched(problem, inputs, attacked, preset, now, steps) for preset in presets}
            floor = (before + bare(model, inputs, masks, attacked, now, steps)) / 2
            if number:  # the first round warms up
                floors.append(floor)
                for preset, seconds in times.items():
                    found.setdefault((modality, preset), []).append(seconds / floor)
    return {key: median(values) for key, values in found.items()}, median(floors)


def main(
    models: Annotated[str, typer.Option(help="Names, separated by commas.")] = "bbsnet",
    presets: Annotated[str, typer.Option(help="Of the transforms, separated by commas.")] = "none,digital,print,hard",
    patch_on: Annotated[str, typer.Option(help="Of rgb, depth, both.")] = "rgb,depth,both",
    size: Annotated[int, typer.Option(help="Side of the square inputs.")] = 128,
    batch: int = 4,
    rounds: int = 5,
    steps: Annotated[int, typer.Option(help="Counted in each round, at most 18.")] = 10,
    threads: int = 1,
    clock: Annotated[str, typer.Option(help="wall, or cpu on a machine that is busy with other work.")] = "cpu",
    device: str = "cpu",
) -> None:
    """Print one line for each network and modality."""
    torch.set_num_threads(threads)
    names, modalities = presets.split(","), patch_on.split(",")
    print(
        f"a step over a bare pass (batch {batch}, {size}x{size}, {device}, {clock} clock, {rounds} rounds of {steps})"
    )
    print(f"{'network':<16}{'patch on':<10}" + "".join(f"{name:>9}" for name in names))
    for name in models.split(","):
        now, model = clock_of(clock, device), network(name, device)
        found, floor = ratios(model, batch, size, names, rounds, min(steps, 18), modalities, now)
        for modality in modalities:
            print(f"{name:<16}{modality:<10}" + "".join(f"{found[modality, preset]:9.3f}" for preset in names))
        print(f"{'':<16}a bare pass: {floor:.3f} s")


if __name__ == "__main__":
    typer.run(main)
