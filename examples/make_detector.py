"""Rebuild the weights of the small detector from a seed: `python examples/make_detector.py`.

Trains on generated shapes. Writes weights and, beside them, a record: command, data, versions, figures of the weights
as they are shipped.
"""

import json
import platform
from pathlib import Path
from time import process_time
from typing import Annotated, Any

import torch
import torchvision
import typer
from torch import Tensor, nn

import rgbdsod
from rgbdsod.datasets import TEST_SEED, ShapeScenes, boxed_batch
from rgbdsod.metrics import average_precision
from rgbdsod.models import TorchvisionDetector, load_detector, save_asset
from rgbdsod.models.detectors.tiny import tiny_fcos
from rgbdsod.types import Objects

ASSETS = Path(rgbdsod.__file__).parent / "models" / "detectors" / "assets"
SCENES, BATCH = 1000, 8
RATE, DECAY = 3e-3, 1e-2
MEASURED = 200


def main(
    seed: Annotated[int, typer.Option(help="of weights, scenes and order")] = 0,
    steps: Annotated[int, typer.Option(help="of 8 scenes")] = 450,
    assets: Annotated[Path, typer.Option(help="folder for the files")] = ASSETS,
) -> None:
    """Train, measure and write."""
    start = process_time()
    detector = train(seed, steps)
    seconds = process_time() - start
    file = assets / "fcos_tiny.safetensors"
    record = save_asset(detector.network, file) | {
        "what": "a small FCOS trained on generated discs, squares and triangles; not a detector of photographs",
        "command": f"python examples/make_detector.py --seed {seed} --steps {steps}",
        "seed": seed,
        "data": {
            "train": f"ShapeScenes({SCENES}, seed={seed})",
            "test": f"ShapeScenes({MEASURED}, seed={TEST_SEED})",
        },
        "training_cpu_seconds": round(seconds),
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "torchvision": torchvision.__version__,
        },
        "figures": figures(load_detector("fcos.tiny", weights=file)),
    }
    file.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def train(seed: int, steps: int) -> TorchvisionDetector:
    """A detector after so many steps."""
    torch.manual_seed(seed)
    images, objects = boxed_batch(list(ShapeScenes(SCENES, seed=seed)))
    detector = tiny_fcos()
    network = detector.network.train()
    optimiser = torch.optim.AdamW(network.parameters(), RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps)
    for step in range(steps):
        rows = torch.randint(SCENES, (BATCH,)).tolist()
        loss = _loss(network, [images[row] for row in rows], [objects[row] for row in rows])
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        schedule.step()
        if (step + 1) % 50 == 0:
            typer.echo(f"{step + 1}/{steps} loss {loss:.3f}")
    network.eval()
    return detector


@torch.no_grad()
def figures(detector: Any) -> dict[str, float | int]:
    """Average precision on scenes of a seed that nothing is trained on."""
    images, objects = boxed_batch(list(ShapeScenes(MEASURED, seed=TEST_SEED)))
    found = [one for part in images.split(50) for one in detector.detect(part)]
    scores = average_precision(objects, found, detector.classes)
    named = scores.summary() | {f"AP50 {name}": scores.of(name) for name in detector.classes}
    rounded = {name: round(value, 3) for name, value in named.items()}
    typer.echo(json.dumps(rounded))
    return {"images": MEASURED, **rounded}


def _loss(network: nn.Module, images: list[Tensor], objects: list[Objects]) -> Tensor:
    """Each image is mirrored or not, and its three colours are shuffled, by the global generator."""
    targets = []
    for place, (image, own) in enumerate(zip(images, objects, strict=True)):
        colours = image[torch.randperm(3)]
        boxes = own.boxes
        if torch.rand(()) < 0.5:
            colours = colours.flip(-1)
            boxes = boxes[:, [2, 1, 0, 3]] * torch.tensor([-1, 1, -1, 1]) + torch.tensor([1, 0, 1, 0]) * image.shape[-1]
        images[place] = colours
        targets.append({"boxes": boxes, "labels": own.labels})
    losses: dict[str, Tensor] = network(images, targets)
    return torch.stack(list(losses.values())).sum()


if __name__ == "__main__":
    typer.run(main)
