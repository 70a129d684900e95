"""What the attacks of the zero-shot evaluation leave of ordinary classifiers: the trained ResNets of CIFAR-10.

    python benchmarks/classifiers.py --images 64

A classifier is attacked by the very calls that attack a dual encoder; only the images that it gets right.
"""

import json
from pathlib import Path
from typing import Annotated

import torch
import typer
from contest.networks import classifier
from contest.tasks import cifar
from peers import DATA
from rich.console import Console
from rich.table import Table

from rgbdsod.attacks import Budget, ClassProblem, worst_case
from rgbdsod.run.clip.accuracy import wilson
from rgbdsod.run.clip.attacks import find_attack

RADII = (0.5, 1, 2)
CLASSES = 10


def main(
    networks: Annotated[str, typer.Option(help="comma-separated")] = "resnet20,resnet32,resnet56",
    attacks: Annotated[str, typer.Option(help="of the zero-shot evaluation, with a fixed radius")] = "pgd,aa-fast",
    steps: Annotated[int, typer.Option(help="of each attack")] = 20,
    images: Annotated[int, typer.Option(help="from the test part")] = 64,
    data: Annotated[Path, typer.Option(help="folder with weights/cifar10_resnet and cifar10_subset")] = DATA,
    out: Annotated[Path | None, typer.Option(help="JSON file for the numbers")] = None,
) -> None:
    """A row for each network and attack, a column for each radius."""
    pictures, labels = (part[:images] for part in cifar(data))
    table = Table("network", "clean", "attack", *(f"{radius:g}/255" for radius in RADII))
    found = []
    for name in networks.split(","):
        network = classifier(name, data)
        with torch.no_grad():
            right = (network(pictures).argmax(1) == labels).nonzero().flatten()
        for attack in attacks.split(","):
            left = [_standing(network, pictures[right], labels[right], attack, radius, steps) for radius in RADII]
            found.append({
                "network": name, "images": len(labels), "clean": len(right), "attack": attack, "steps": steps,
                "robust": dict(zip((f"{radius:g}/255" for radius in RADII), left, strict=True)),
            })  # fmt: skip
            table.add_row(name, _cell(len(right), images), attack, *(_cell(own, images) for own in left))
    Console(width=160).print(table)
    if out is not None:
        out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def _standing(
    network: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor, attack: str, radius: float, steps: int
) -> int:
    """How many images are still classified rightly after the attack."""
    problem = ClassProblem(lambda inputs: network(inputs["image"]), labels, modules=(network,))
    members = find_attack(attack).members(steps, {}, CLASSES)
    result = worst_case(problem, {"image": images}, {"image": Budget(eps=radius / 255)}, members, stop=True)
    return int((~result.fooled).sum())


def _cell(right: int, images: int) -> str:
    own = wilson(right, images)
    return f"{100 * own.value:.1f} [{100 * own.low:.1f}, {100 * own.high:.1f}]"


if __name__ == "__main__":
    typer.run(main)
