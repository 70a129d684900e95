"""Rebuild the built-in demonstration weights from a seed: `make weights`.

Trains each small network on generated scenes, measures it on scenes that training never saw, with all inputs right and
with one input taken from another image, and writes the weights and their figures beside each other.
"""

import json
import platform
import time
from pathlib import Path
from typing import Annotated

import torch
import typer

import rgbdsod
from rgbdsod.datasets import load_dataset
from rgbdsod.models import build_model, save_asset
from rgbdsod.run.train import train
from rgbdsod.run.validate import dependence

ASSETS = Path(rgbdsod.__file__).parent / "models" / "assets"
TRAIN, VALIDATION, TEST = "scenes:200000@128x128#0", "scenes:200@128x128#1", "scenes:400@128x128#2"
ITERATIONS = {"bbsnet": 5000, "jldcf": 5000, "d3net": 5000}


def main(
    names: Annotated[list[str] | None, typer.Argument(help="networks to train; all three by default")] = None,
    seed: Annotated[int, typer.Option(help="of weights, order and augmentation")] = 0,
    iterations: Annotated[int | None, typer.Option(help="steps of 16 scenes")] = None,
    out: Annotated[Path, typer.Option(help="folder for checkpoints and logs")] = Path("runs/weights"),
    assets: Annotated[Path, typer.Option(help="folder for the weights")] = ASSETS,
) -> None:
    """Train, measure and write the built-in weights; an interrupted training continues."""
    for name in names or list(ITERATIONS):
        steps = iterations or ITERATIONS[name]
        start = time.monotonic()
        result = train(name, data=TRAIN, val=VALIDATION, iterations=steps, seed=seed, out=out / name, callback=_show)
        seconds = time.monotonic() - start
        figures = dependence(result.model, load_dataset(TEST))
        for condition, measures in figures.items():
            typer.echo(f"{name:8s} {condition:14s} " + "  ".join(f"{k} {v:.3f}" for k, v in measures.items()))
        record = save_asset(result.model, assets / f"{name}.safetensors")
        record |= {
            "what": "demonstration weights of a small network; not the published model",
            "command": f"python examples/make_weights.py {name} --seed {seed} --iterations {steps}",
            "data": {"train": TRAIN, "validation": VALIDATION, "test": TEST},
            "best_iteration": result.best["iteration"],
            "figures": {c: {k: round(v, 4) for k, v in m.items()} for c, m in figures.items()},
            "parameters": sum(p.numel() for p in build_model(name).network.parameters()),
            "training_seconds": round(seconds),
            "versions": {"python": platform.python_version(), "torch": torch.__version__},
        }
        (assets / f"{name}.json").write_text(json.dumps(record, indent=1) + "\n")


def _show(done: int, total: int, measures: dict[str, float]) -> None:
    if done % 100 == 0 or done == total:
        typer.echo(f"{done}/{total} " + "  ".join(f"{k} {v:.4g}" for k, v in measures.items()))


if __name__ == "__main__":
    typer.run(main)
