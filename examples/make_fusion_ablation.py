"""Repeat the measured ablation of docs/fusion-ablation.md: `make fusion-ablation`.

Trains the three architectures in all designs, attacks them, and writes figures and the page of all numbers into the
documentation. Some two and a half hours on two cores from nothing; what lies in `runs/ablate` is not computed again.
"""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from ablation_tables import Condition, changes, means, rewrite

import rgbdsod
from rgbdsod.report.ablation.document import AblationDocument
from rgbdsod.report.ablation.standalone import write_figures
from rgbdsod.run import AblationResult, Grid, Schooling, Target

SCHOOLING = Schooling(data="scenes:8000@64x64+111*demo:train", iterations=500, size=(64, 64))
SCENES, POTHOLES = "scenes:32@64x64#1048578", "demo:real"
DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE, NUMBERS = "fusion-ablation.md", "fusion-ablation-numbers.md"
COLUMNS: dict[str, Condition] = {
    "clean": ("clean", "none", 0.0), "RGB attacked": ("pgd", "rgb", 4 / 255),
    "depth attacked": ("pgd", "depth", 4 / 255), "both attacked": ("pgd", "both", 4 / 255),
    "RGB missing": ("missing", "rgb", 0.0), "depth missing": ("missing", "depth", 0.0),
}  # fmt: skip
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
    """Run or read the ablations; all of them are written into the documentation."""
    chosen = {name: own for name, own in grids().items() if not names or name in names}
    results = {name: _run(name, *own, out) for name, own in chosen.items()}
    if names:
        return
    parts = [HEAD]
    for name, result in results.items():
        write_figures(AblationDocument.of(result.document), docs / "assets" / "fusion-ablation" / name)
        tables = rgbdsod.report(out / name, format="md", out=out / name / "report.md").read_text(encoding="utf-8")
        data = result.document["data"]
        parts.append(f"## {name}\n\n{data['name']}, {data['images']} images\n\n{tables}")
    (docs / NUMBERS).write_text("\n".join(parts), encoding="utf-8")
    training = results["bbsnet-training"]
    rewrite(docs / PAGE, {
        "scenes": means(_rows(results, "-scenes"), "fusion", COLUMNS),
        "real": means(_rows(results, "-real"), "fusion", COLUMNS),
        "training": means(training.table, "training", COLUMNS) + changes(training, "multistage", COLUMNS),
    })  # fmt: skip


def _run(name: str, grid: Grid, data: str, out: Path) -> AblationResult:
    return rgbdsod.ablate(
        grid, data, weights=out / "weights", target=Target(out=out / name), device="cpu",
        callback=lambda done, total, text: print(f"{name} {done:.2f}/{total} {text}", flush=True),
    )  # fmt: skip


def _rows(results: dict[str, AblationResult], end: str) -> list[dict[str, Any]]:
    """The tables of all ablations whose names end so."""
    return [row for name, result in results.items() if name.endswith(end) for row in result.table]


if __name__ == "__main__":
    typer.run(main)
