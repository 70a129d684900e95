"""How much of a robust accuracy is half precision: the networks of make_clip_study.py, attacked in both ways.

PGD with 10 steps, its last point; once with losses summed in float32, once as in released evaluations: float16 under
autocast, the loss a mean over a batch of 256, no loss scale, so that small gradients become exactly 0.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from make_clip_study import EPS, FEW, OUT, USUAL, Study

from rgbdsod.attacks import Budget, ClassProblem, pgd
from rgbdsod.attacks.engine import FLOAT16_SCALE
from rgbdsod.clip import ClipModel, TextBank, ZeroShot, pixels
from rgbdsod.datasets import ImageSet
from rgbdsod.run.clip.strike import Watched

RELEASED_BATCH = 256
TUNED = "glyphs:tuning"


@dataclass(frozen=True)
class Numerics:
    """What an encoder computes in during an attack.

    Args:
        name: of it.
        precision: of the passes.
        factor: of the loss on its way through the encoder, beside the core's own loss scale.
    """

    name: str
    precision: str
    factor: float


OURS = Numerics("float32", "float32", 1.0)
RELEASED = Numerics("as released", "float16", 1 / (RELEASED_BATCH * FLOAT16_SCALE))


def main(
    methods: Annotated[str, typer.Option(help="comma-separated")] = "none,ft-clean,fare,tecoa,pmg-aft,tga-zsr",
    seeds: Annotated[str, typer.Option(help="comma-separated")] = "0,1",
    out: Annotated[Path, typer.Option(help="folder of the study")] = OUT,
) -> None:
    """A line for each network, and all numbers in numerics.json."""
    study = Study(out)
    tasks = [own.sample(FEW, 0) for own in study.tasks() if own.name != TUNED]
    found: list[dict[str, Any]] = []
    for method in methods.split(","):
        for seed in map(int, seeds.split(",")):
            model = study.model(method, USUAL, seed)
            row: dict[str, Any] = {"method": method, "seed": seed}
            for own in (OURS, RELEASED):
                row[own.name] = measure(model, tasks, own)
            found.append(row)
            typer.echo(json.dumps(row))
    (out / "numerics.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def measure(model: ClipModel, tasks: Sequence[ImageSet], how: Numerics) -> dict[str, float]:
    """Accuracy after the attack and the share of the first gradient that was exactly 0, means over the tasks."""
    right, zero = [], []
    for data in tasks:
        watched = Watched(ZeroShot(model, TextBank(model, data.prompts)), how.factor)
        image, labels = pixels(data, range(len(data)), side=model.side), torch.from_numpy(data.labels)
        result = pgd(
            ClassProblem(watched, labels), {"image": image}, {"image": Budget(eps=EPS)}, steps=10, keep="last",
            precision=how.precision, sample_ids=data.ids,
        )  # fmt: skip
        right.append(float((watched.classifier.predict(result.inputs["image"]) == labels).float().mean()))
        zero.append(float(torch.nan_to_num(watched.zero).mean()) if watched.zero is not None else 0.0)
    return {"robust": sum(right) / len(right), "zero gradient": sum(zero) / len(zero)}


if __name__ == "__main__":
    torch.set_num_threads(1)
    typer.run(main)
