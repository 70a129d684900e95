"""What does the place where RGB and depth meet change? The ablation of `rgbdsod ablate`, by the library.

Trains each design of a network, attacks either input and both, and prints on which input each design leans and which
designs differ by more than the luck of images and seeds. Run again, it goes on where it was.
"""

from typing import Annotated, Any

import typer

import rgbdsod
from rgbdsod.run import Grid, Schooling, Target


def main(
    model: Annotated[str, typer.Argument(help="a name of `rgbdsod list models`")] = "bbsnet",
    seeds: Annotated[int, typer.Option(help="trainings of each design")] = 2,
    iterations: Annotated[int, typer.Option(help="steps of each training")] = 500,
    images: Annotated[int, typer.Option(help="generated scenes to attack")] = 32,
    side: Annotated[int, typer.Option(help="pixels of a side")] = 64,
    steps: Annotated[int, typer.Option(help="of PGD")] = 20,
    out: Annotated[str, typer.Option(help="run folder")] = "runs/ablate/example",
) -> None:
    """Print reliance and differences of all designs of a network."""
    grid = Grid(
        model=(model,),
        seeds=tuple(range(seeds)),
        schooling=Schooling(data=f"scenes:8000@{side}x{side}", iterations=iterations, size=(side, side)),
        attacks=("pgd",),
        eps=(2 / 255, 4 / 255, 8 / 255),
        steps=steps,
    )
    data = rgbdsod.load_dataset(f"scenes:{images}@{side}x{side}#9")
    result = rgbdsod.ablate(grid, data, target=Target(out=out), callback=lambda done, total, text: print(text))
    print(result.summary(), "\n\nshare of depth in the drop of S when either input is attacked")
    for row in result.derived("reliance"):
        if row["modality"] == "depth":
            print(f"{row['fusion']:12s} {row['eps'] * 255:.0f}/255  {_interval(row)}")
    print("\ndifferences of S that images and seeds do not explain")
    for row in result.derived("difference"):
        if row["low"] > 0 or row["high"] < 0:
            where = f"{row['attack']} {row['modality']} {row['eps'] * 255:.0f}/255"
            print(f"{row['fusion']:>12s} - {row['against']:12s} {where:20s} {_interval(row)}")


def _interval(row: dict[str, Any]) -> str:
    return "none" if row["value"] is None else f"{row['value']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}]"


if __name__ == "__main__":
    typer.run(main)
