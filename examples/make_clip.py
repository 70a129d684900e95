"""Rebuild the weights of the built-in dual encoder from a seed: `python examples/make_clip.py`.

Image-text contrast on generated glyphs with their captions; equal captions of a batch are positives of each other.
Writes weights and, beside them, a record: command, data, versions, figures of the weights as they are shipped.
"""

import json
import math
import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import numpy as np
import torch
import torch.nn.functional as F
import typer
from torch import Tensor

import rgbdsod
from rgbdsod.attacks import Budget, ClassProblem, pgd
from rgbdsod.clip import TextBank, ZeroShot, pixels
from rgbdsod.clip.load import built_in
from rgbdsod.clip.small import SmallClip, SmallNetwork
from rgbdsod.datasets import TEST_SEED, glyph_set, glyphs
from rgbdsod.datasets.glyph_words import TASKS
from rgbdsod.fusion import itc_loss
from rgbdsod.models import save_asset

ASSETS = Path(rgbdsod.__file__).parent / "clip" / "assets"
PAIRS, BATCH, SHIFT = 16_000, 128, 2
RATE, DECAY, WARMUP = 1e-3, 0.05, 100
LARGEST_SCALE = 100.0
MEASURED = 256
RADII = (0.5, 1, 2, 4, 8)


def main(
    seed: Annotated[int, typer.Option(help="of weights, images, order and shifts")] = 0,
    steps: Annotated[int, typer.Option(help="of 128 pairs")] = 2000,
    assets: Annotated[Path, typer.Option(help="folder for the files")] = ASSETS,
    device: Annotated[str, typer.Option(help="cpu, cuda, ...")] = "cpu",
) -> None:
    """Train, measure and write."""
    start = perf_counter()
    network = train([glyph_pairs(seed)], seed, steps, device)
    file = assets / "clip.safetensors"
    record = save_asset(network, file) | {
        "what": "a small dual encoder trained on generated glyphs; not a model of photographs",
        "command": f"python examples/make_clip.py --seed {seed} --steps {steps}",
        "seed": seed,
        "data": {
            "train": f"glyphs({PAIRS}, seed={seed})",
            "test": f"glyph_set(TASK, {MEASURED}, seed={TEST_SEED})",
        },
        "training_seconds": round(perf_counter() - start),
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
    }
    _write(file.with_suffix(".json"), record)
    if assets == ASSETS:
        _write(file.with_suffix(".json"), record | {"figures": figures(built_in())})


@dataclass(frozen=True, eq=False)
class Pairs:
    """Images with captions, of which each batch has so many.

    Attributes:
        images: uint8 (N,3,32,32).
        captions: of each image.
        count: in a batch.
    """

    images: Tensor
    captions: Sequence[str]
    count: int

    def rows(self, generator: torch.Generator) -> Iterator[Tensor]:
        """Positions of a batch's images, epoch after epoch; the rest of an epoch that fills no batch is left out."""
        order = torch.empty(0, dtype=torch.long)
        while True:
            if len(order) < self.count:
                order = torch.randperm(len(self.images), generator=generator)
            yield order[: self.count]
            order = order[self.count :]


def glyph_pairs(seed: int, count: int = BATCH) -> Pairs:
    """Generated glyphs with their captions."""
    drawn = glyphs(PAIRS, seed=seed)
    return Pairs(torch.from_numpy(drawn.images).permute(0, 3, 1, 2), drawn.captions, count)


def train(sources: Sequence[Pairs], seed: int, steps: int, device: str = "cpu") -> SmallNetwork:
    """A network after so many steps, each on images of every source."""
    torch.manual_seed(seed)
    network = SmallNetwork().to(device)
    model = SmallClip(network).to(device)
    network.requires_grad_(True)
    optimiser = torch.optim.AdamW(network.parameters(), RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _share_of_rate(step, steps))
    generator = torch.Generator().manual_seed(seed)
    orders = [source.rows(generator) for source in sources]
    for step in range(steps):
        rows = [next(order) for order in orders]
        images = torch.cat([source.images[own] for source, own in zip(sources, rows, strict=True)])
        captions = [source.captions[row] for source, own in zip(sources, rows, strict=True) for row in own.tolist()]
        batch = _shifted(images.to(device).float() / 255, generator)
        said, which = np.unique(captions, return_inverse=True)
        groups = torch.from_numpy(which).to(device)
        texts = network.text(said.tolist())[groups]
        loss, seen = itc_loss(model.embed(batch), texts, (-network.log_scale).exp(), groups, positives="group")
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        with torch.no_grad():
            network.log_scale.clamp_(max=math.log(LARGEST_SCALE))
        if (step + 1) % 100 == 0:
            typer.echo(f"{step + 1}/{steps} loss {loss:.3f} scale {1 / seen['temperature']:.1f}")
    return network.cpu()


def figures(model: SmallClip) -> dict[str, Any]:
    """Clean accuracy on all tasks, and what PGD-20 leaves of it, in percent."""
    found: dict[str, Any] = {"images a task": MEASURED, "clean": {}, "after pgd-20 within 8/255": {}}
    for task in TASKS:
        data = glyph_set(task.name, MEASURED, seed=TEST_SEED)
        zero_shot = ZeroShot(model, TextBank(model, data.prompts))
        image, labels = pixels(data, range(len(data)), side=model.side), torch.from_numpy(data.labels)
        found["clean"][task.title] = _percent(zero_shot.predict(image) == labels)
        found["after pgd-20 within 8/255"][task.title] = _attacked(zero_shot, image, labels, 8)
        if task.tuned:
            radii = {f"{radius:g}/255": _attacked(zero_shot, image, labels, radius) for radius in RADII}
            found[f"{task.title} after pgd-20 within"] = radii
    typer.echo(json.dumps(found, indent=1))
    return found


def _attacked(zero_shot: ZeroShot, image: Tensor, labels: Tensor, radius: float) -> float:
    """Accuracy under the stronger of PGD-20 on cross-entropy and on the margin."""
    stands = zero_shot.predict(image) == labels
    for objective in ("ce", "margin"):
        problem = ClassProblem(zero_shot, labels, objective=objective)
        stands &= ~pgd(problem, {"image": image}, {"image": Budget(eps=radius / 255)}, stop=True).fooled
    return _percent(stands)


def _share_of_rate(step: int, steps: int) -> float:
    return min(1.0, (step + 1) / WARMUP) * (1 + math.cos(math.pi * step / steps)) / 2


def _shifted(images: Tensor, generator: torch.Generator) -> Tensor:
    """Each image moved by up to two pixels, its border repeated."""
    side = images.shape[-1]
    padded = F.pad(images, (SHIFT,) * 4, mode="replicate")
    places = torch.randint(2 * SHIFT + 1, (len(images), 2), generator=generator).tolist()
    return torch.stack([image[:, y : y + side, x : x + side] for image, (y, x) in zip(padded, places, strict=True)])


def _percent(flags: Tensor) -> float:
    return round(100 * flags.float().mean().item(), 1)


def _write(path: Path, record: dict[str, Any]) -> None:
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
