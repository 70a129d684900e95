"""Rebuild the built-in demonstration weights from a seed: `make weights`.

Trains each small network on generated scenes and a few real photographs, measures it on images that training never
saw, with all inputs right and with one input taken from another image, and writes weights and figures side by side.
"""

import json
import platform
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

import rgbdsod
from rgbdsod.attacks import Budget
from rgbdsod.datasets import TEST_SEED, Augmentation, Dataset, load_dataset, mixture
from rgbdsod.defenses import AdversarialTraining
from rgbdsod.models import load_model, save_asset
from rgbdsod.run.train import train
from rgbdsod.run.validate import dependence, validate

ASSETS = Path(rgbdsod.__file__).parent / "models" / "assets"
TRAIN = {"scenes:100000@128x128#0": 0.8, "demo:train": 0.2}
VALIDATION, TEST, REAL = "scenes:200@128x128#1", f"scenes:400@128x128#{TEST_SEED + 1}", "demo:real"
HOW = Augmentation(crop=0.6, light=0.3)
EPS = 4 / 255


@dataclass(frozen=True)
class Training:
    """How built-in weights are trained.

    Args:
        iterations: steps.
        begin: the network whose weights it begins with; None: random ones.
        settings: of `rgbdsod.train`.
    """

    iterations: int
    begin: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)


BOTH = {"rgb": Budget(eps=EPS), "depth": Budget(eps=EPS)}
TRAININGS = {
    "bbsnet": Training(1500),
    "jldcf": Training(1500),
    "d3net": Training(4000),
    # Validated at its end alone: the best clean image of an adversarial training is its least robust network.
    "bbsnet.robust": Training(1000, "bbsnet", {
        "adversarial": AdversarialTraining(BOTH, steps=5), "batch": 8, "lr": 1e-3, "ema": 0.99, "validate_every": 1000,
    }),
}  # fmt: skip


def main(
    names: Annotated[list[str] | None, typer.Argument(help="networks to train; all by default")] = None,
    seed: Annotated[int, typer.Option(help="of weights, order and augmentation")] = 0,
    iterations: Annotated[int | None, typer.Option(help="steps of 16 images; default: as shipped")] = None,
    out: Annotated[Path, typer.Option(help="folder for checkpoints and logs")] = Path("runs/weights"),
    assets: Annotated[Path, typer.Option(help="folder for the weights")] = ASSETS,
) -> None:
    """Train, measure and write the built-in weights; an interrupted training continues."""
    for name in names or list(TRAININGS):
        own = TRAININGS[name]
        steps = iterations or own.iterations
        result = train(
            name.partition(".")[0],
            data=_training_set(),
            val=VALIDATION,
            iterations=steps,
            seed=seed,
            out=out / name,
            init=None if own.begin is None else assets / f"{own.begin}.safetensors",
            augmentation=HOW,
            callback=_show,
            **own.settings,
        )
        record = save_asset(result.model, assets / f"{name}.safetensors") | {
            "what": "demonstration weights of a small network; not the published model",
            "command": f"python examples/make_weights.py {name} --seed {seed} --iterations {steps}",
            **({} if own.begin is None else {"begins with": own.begin, "settings": _words(own)}),
            "data": {"train": TRAIN, "validation": VALIDATION, "test": TEST, "real photographs": REAL},
            "best_iteration": result.best["iteration"],
            "versions": {"python": platform.python_version(), "torch": torch.__version__},
        }
        _write(assets / f"{name}.json", record)
        _write(assets / f"{name}.json", record | {"figures": _figures(name)})


def _words(own: Training) -> dict[str, Any]:
    """Settings as text, where they are more than a number."""
    return {name: value if isinstance(value, int | float) else repr(value) for name, value in own.settings.items()}


def _figures(name: str) -> dict[str, dict[str, float]]:
    """Measures of the weights as they are shipped."""
    model = load_model(name)
    figures = dependence(model, load_dataset(TEST))
    figures["real photographs"] = validate(model, load_dataset(REAL))
    for condition, measures in figures.items():
        typer.echo(f"{name:8s} {condition:17s} " + "  ".join(f"{k} {v:.3f}" for k, v in measures.items()))
    return {condition: {k: round(v, 4) for k, v in measures.items()} for condition, measures in figures.items()}


def _write(path: Path, record: dict[str, Any]) -> None:
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def _training_set() -> Dataset:
    parts = [(load_dataset(name), share) for name, share in TRAIN.items()]
    return mixture("scenes and photographs", parts, 100_000)


def _show(done: int, total: int, measures: dict[str, float]) -> None:
    if done % 100 == 0 or done == total:
        typer.echo(f"{done}/{total} " + "  ".join(f"{k} {v:.4g}" for k, v in measures.items()))


if __name__ == "__main__":
    typer.run(main)
