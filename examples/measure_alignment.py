"""Measure the detector of the attacked input, and the filter of wrong pairs, on networks trained for it.

`detector` trains with the loss `manipulation` and prints, for attacks that do not know the detector and for those that
do, how often it accuses the right input and what dropping the accused input saves. `pairs` trains with `itm` on scenes
of which a known share has wrong depth, prints how well the scores find them, and what leaving out the worst is worth
to the next training. Run again, they go on where they were.
"""

from pathlib import Path
from typing import Annotated, Any

import torch
import typer

import rgbdsod
from rgbdsod.datasets import Dataset, load_dataset
from rgbdsod.fusion import filter_quality
from rgbdsod.run import AlignmentSettings, Mismatched, PairFilter, evaluate_detector, score_pairs
from rgbdsod.run.mismatch import KINDS

app = typer.Typer(help=__doc__)

Model = Annotated[str, typer.Argument(help="a network with two encoders")]
Steps = Annotated[int, typer.Option(help="of each training")]
Images = Annotated[int, typer.Option(help="generated scenes to measure on")]
Side = Annotated[int, typer.Option(help="pixels of a side")]
Seed = Annotated[int, typer.Option(help="of the training")]
Out = Annotated[Path, typer.Option(help="folder of the trainings")]


@app.command()
def detector(
    model: Model = "bbsnet",
    iterations: Steps = 800,
    images: Images = 64,
    side: Side = 64,
    seed: Seed = 0,
    attack_steps: Annotated[int, typer.Option(help="of PGD")] = 20,
    out: Out = Path("runs/alignment"),
) -> None:
    """A row for clean images and each attack."""
    folder = out / f"detector-{model}-{seed}"
    settings = AlignmentSettings(itc=0.1, pool="mask", manipulation=0.3)
    _train(model, load_dataset(f"scenes:8000@{side}x{side}"), folder, iterations, side, seed, alignment=settings)
    rows = evaluate_detector(folder, load_dataset(f"scenes:{images}@{side}x{side}#9"), steps=attack_steps, device="cpu")
    print("| attacked | attack | c | AUROC | TPR at 5 % | MAE | MAE with fall-back |\n" + "|---" * 7 + "|")
    for row in rows:
        shown = "" if row.side == "none" else f"{row.auroc:.2f}"
        print(f"| {row.side} | {row.attack} | {row.strength:g} | {shown} | {row.tpr:.2f} | {row.mae:.3f} "
              f"| {row.mae_fallback:.3f} |")  # fmt: skip


@app.command()
def pairs(
    model: Model = "bbsnet",
    iterations: Steps = 1200,
    judge_iterations: Annotated[int, typer.Option(help="of the training that judges; matching is learned late")] = 4000,
    images: Images = 4000,
    side: Side = 64,
    seed: Seed = 0,
    share: Annotated[float, typer.Option(help="of the images whose depth is wrong")] = 0.3,
    out: Out = Path("runs/alignment"),
) -> None:
    """How well each kind of wrong depth is found, and three trainings: with all pairs, without the worst, and clean."""
    right = load_dataset(f"scenes:{images}@{side}x{side}#3")
    data = Mismatched(right, share)
    judge = out / f"judge-{model}-{seed}"
    losses = AlignmentSettings(itc_dense=0.3, itm=1.0)
    _train(model, data, judge, judge_iterations, side, seed, alignment=losses)
    scores = score_pairs(judge, data, device="cpu")
    print("| wrong depth | AUROC of the score |\n|---|---|")
    for kind in ("", *KINDS):
        chosen = torch.tensor([wrong in ("", kind) or not kind for wrong in data.wrong])
        wrong = torch.tensor([bool(own) for own in data.wrong])[chosen]
        print(f"| {kind or 'any'} | {filter_quality(scores[chosen], wrong)['auroc']:.2f} |")
    print("\n| training set | S | MAE |\n|---|---|---|")
    plain: dict[str, tuple[Dataset, dict[str, Any]]] = {
        "all pairs": (data, {}),
        "without the worst": (data, {"pair_filter": PairFilter(str(judge), share=share)}),
        "no wrong depth": (right, {}),
    }
    for name, (own, options) in plain.items():
        folder = out / f"{name.replace(' ', '-')}-{model}-{seed}"
        best = _train(model, own, folder, iterations, side, seed, **options)
        print(f"| {name} | {best['sm']:.3f} | {best['mae']:.3f} |")


def _train(
    model: str, data: Dataset, folder: Path, iterations: int, side: int, seed: int, **options: Any
) -> dict[str, float]:
    """The last weights' measures on scenes that no training saw."""
    result = rgbdsod.train(
        model, data=data, val=f"scenes:200@{side}x{side}#1", out=folder, iterations=iterations, size=(side, side),
        seed=seed, workers=0, device="cpu", validate_every=iterations, **options,
    )  # fmt: skip
    return result.best


if __name__ == "__main__":
    app()
