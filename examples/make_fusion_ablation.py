"""Repeat the measured ablation of docs/fusion-ablation.md: `make fusion-ablation`.

Trains the three architectures in all designs, attacks them, and writes figures and the page of all numbers into the
documentation. Some eight hours on two cores from nothing; what lies in `runs/ablate` is not computed again.
"""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

import rgbdsod
from rgbdsod.report.ablation.document import AblationDocument
from rgbdsod.report.ablation.standalone import write_figures
from rgbdsod.run import Grid, Schooling, Target

SCHOOLING = Schooling(data="scenes:8000@64x64+111*demo:train", iterations=500, size=(64, 64))
SCENES, POTHOLES = "scenes:32@64x64#1048578", "demo:real"
DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE = DOCS / "fusion-ablation-numbers.md"
HEAD = """# The fusion ablation in numbers

All numbers of [the measured ablation](fusion-ablation.md), written by `make fusion-ablation`. S-measure of the saved
files, benchmark protocol; intervals of 95 % over images and seeds, as [the ablation](ablation.md#what-comes-out) says.
"""


def grids() -> dict[str, tuple[Grid, str]]:
    """Every ablation by the name of its run folder, with its images."""
    common = {"schooling": SCHOOLING, "attacks": ("pgd", "apgd"), "seeds": (0, 1)}
    designs = {model: Grid(model=(model,), **common) for model in ("bbsnet", "jldcf", "d3net")}
    trainings = Grid(
        model=("bbsnet",), fusion=("multistage",), training=("plain", "itc", "itm", "dropout"), transfer=False, **common
    )
    found = {f"{model}-scenes": (grid, SCENES) for model, grid in designs.items()}
    found["bbsnet-training"] = (trainings, SCENES)
    real = {"attacks": ("pgd",), "transfer": False}
    return found | {f"{model}-real": (replace(grid, **real), POTHOLES) for model, grid in designs.items()}


def main(
    names: Annotated[list[str] | None, typer.Argument(help="ablations to run; all by default")] = None,
    out: Annotated[Path, typer.Option(help="folder of the runs")] = Path("runs/ablate"),
    docs: Annotated[Path, typer.Option(help="folder of the documentation")] = DOCS,
) -> None:
    """Run or read the ablations, then write their figures and numbers."""
    parts = [HEAD]
    for name, (grid, data) in grids().items():
        if names and name not in names:
            continue
        result = rgbdsod.ablate(
            grid, data, weights=out / "weights", target=Target(out=out / name), device="cpu",
            callback=lambda done, total, text: print(f"{done:.2f}/{total} {text}"),
        )  # fmt: skip
        write_figures(AblationDocument.of(result.document), docs / "assets" / "fusion-ablation" / name)
        tables = rgbdsod.report(out / name, format="md", out=out / name / "report.md").read_text(encoding="utf-8")
        parts.append(f"## {name}\n\n{result.document['data']['name']}, {result.document['data']['images']} images\n")
        parts.append(tables.replace("\n## ", "\n### "))
    if not names:
        (docs / PAGE.name).write_text("\n".join(parts), encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
