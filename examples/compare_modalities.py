"""Which modality is the weaker one? S-measure before and after attacks on RGB, depth and both, by kind of scene.

In a scene of kind "rgb" only colour tells the object, in "depth" only depth; in "both" it takes the two together.
"""

from statistics import mean
from typing import Annotated

import typer

import rgbdsod
from rgbdsod.datasets import scene_kind

KINDS = ("both", "rgb", "depth")
SEED = 7


def main(
    models: Annotated[list[str] | None, typer.Argument(help="names of `rgbdsod list models`; default: bbsnet")] = None,
    images: Annotated[int, typer.Option(help="generated scenes to attack")] = 8,
    steps: Annotated[int, typer.Option(help="of PGD")] = 10,
    eps: Annotated[float, typer.Option(help="radius in grey levels")] = 2,
) -> None:
    """Print a row for each model and modality."""
    data = rgbdsod.load_dataset(f"scenes:{images}@128x128#{SEED}")
    kind = {sample_id: scene_kind(place, SEED) for place, sample_id in enumerate(data.ids)}
    print("S-measure".ljust(24) + "".join(f"{name:>16s}" for name in ("all scenes", *KINDS)))
    for model in models or ["bbsnet"]:
        for modality in ("rgb", "depth", "both"):
            rows = rgbdsod.attack(model, data, modality=modality, eps=eps / 255, steps=steps).samples
            groups = [rows, *([row for row in rows if kind[row["id"]] == name] for name in KINDS)]
            print(f"{model}, {modality} attacked".ljust(24) + "".join(map(_change, groups)))


def _change(rows: list[dict[str, float]]) -> str:
    if not rows:
        return "none".rjust(16)
    before, after = (mean(row[f"{state}_sm"] for row in rows) for state in ("clean", "attacked"))
    return f"{before:.3f} -> {after:.3f}".rjust(16)


if __name__ == "__main__":
    typer.run(main)
