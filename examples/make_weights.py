"""Rebuild the built-in demonstration weights from a seed: `make weights`.

Trains each small network on generated scenes and a few real photographs, measures it on images that training never
saw, with all inputs right and with one input taken from another image, and writes weights and figures side by side.
"""

import json
import platform
import time
from pathlib import Path
from typing import Annotated

import torch
import typer

import rgbdsod
from rgbdsod.datasets import TEST_SEED, Augmentation, Dataset, load_dataset, mixture
from rgbdsod.models import build_model, save_asset
from rgbdsod.run.train import train
from rgbdsod.run.validate import dependence, validate

ASSETS = Path(rgbdsod.__file__).parent / "models" / "assets"
TRAIN = {"scenes:100000@128x128#0": 0.8, "demo:train": 0.2}
VALIDATION, TEST, REAL = "scenes:200@128x128#1", f"scenes:400@128x128#{TEST_SEED + 1}", "demo:real"
ITERATIONS = 1500
HOW = Augmentation(crop=0.6, light=0.3)


def main(
    names: Annotated[list[str] | None, typer.Argument(help="networks to train; all three by default")] = None,
    seed: Annotated[int, typer.Option(help="of weights, order and augmentation")] = 0,
    iterations: Annotated[int, typer.Option(help="steps of 16 images")] = ITERATIONS,
    out: Annotated[Path, typer.Option(help="folder for checkpoints and logs")] = Path("runs/weights"),
    assets: Annotated[Path, typer.Option(help="folder for the weights")] = ASSETS,
) -> None:
    """Train, measure and write the built-in weights; an interrupted training continues."""
    for name in names or ["bbsnet", "jldcf", "d3net"]:
        start = time.monotonic()
        result = train(
            name,
            data=_training_set(),
            val=VALIDATION,
            iterations=iterations,
            seed=seed,
            out=out / name,
            augmentation=HOW,
            callback=_show,
        )
        seconds = time.monotonic() - start
        figures = dependence(result.model, load_dataset(TEST))
        figures["real photographs"] = validate(result.model, load_dataset(REAL))
        for condition, measures in figures.items():
            typer.echo(f"{name:8s} {condition:14s} " + "  ".join(f"{k} {v:.3f}" for k, v in measures.items()))
        record = save_asset(result.model, assets / f"{name}.safetensors")
        record |= {
            "what": "demonstration weights of a small network; not the published model",
            "command": f"python examples/make_weights.py {name} --seed {seed} --iterations {iterations}",
            "data": {"train": TRAIN, "validation": VALIDATION, "test": TEST, "real photographs": REAL},
            "best_iteration": result.best["iteration"],
            "figures": {c: {k: round(v, 4) for k, v in m.items()} for c, m in figures.items()},
            "parameters": sum(p.numel() for p in build_model(name).network.parameters()),
            "training_seconds": round(seconds),
            "versions": {"python": platform.python_version(), "torch": torch.__version__},
        }
        (assets / f"{name}.json").write_text(json.dumps(record, indent=1) + "\n")


def _training_set() -> Dataset:
    parts = [(load_dataset(name), share) for name, share in TRAIN.items()]
    return mixture("scenes and photographs", parts, 100_000)


def _show(done: int, total: int, measures: dict[str, float]) -> None:
    if done % 100 == 0 or done == total:
        typer.echo(f"{done}/{total} " + "  ".join(f"{k} {v:.4g}" for k, v in measures.items()))


if __name__ == "__main__":
    typer.run(main)
