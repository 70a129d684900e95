"""Repeat the measured ablation of docs/fusion-ablation.md: `make fusion-ablation`.

Trains the three architectures in all designs, attacks them, and writes figures and the page of all numbers into the
documentation. Some two and a half hours on two cores from nothing; what lies in `runs/ablate` is not computed again.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

import rgbdsod
from rgbdsod.report.ablation.document import AblationDocument
from rgbdsod.report.ablation.standalone import write_figures
from rgbdsod.run import AblationResult, Grid, Schooling, Target

SCHOOLING = Schooling(data="scenes:8000@64x64+111*demo:train", iterations=500, size=(64, 64))
SCENES, POTHOLES = "scenes:32@64x64#1048578", "demo:real"
DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE, NUMBERS = "fusion-ablation.md", "fusion-ablation-numbers.md"
SHOWN = (("clean", "none", 0.0), *(("pgd", name, 4 / 255) for name in ("rgb", "depth", "both")),
         *(("missing", name, 0.0) for name in ("rgb", "depth")))  # fmt: skip
TITLES = ("clean", "RGB attacked", "depth attacked", "both attacked", "RGB missing", "depth missing")
MARK = re.compile(r"(<!-- measured: (\S+) .*?-->\n).*?(<!-- end -->)", re.DOTALL)
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
    page = (docs / PAGE).read_text(encoding="utf-8")
    tables = {"scenes": _table(results, "-scenes"), "real": _table(results, "-real"), "training": _trainings(results)}
    (docs / PAGE).write_text(MARK.sub(lambda own: own[1] + tables[own[2]] + own[3], page), encoding="utf-8")


def _run(name: str, grid: Grid, data: str, out: Path) -> AblationResult:
    return rgbdsod.ablate(
        grid, data, weights=out / "weights", target=Target(out=out / name), device="cpu",
        callback=lambda done, total, text: print(f"{name} {done:.2f}/{total} {text}", flush=True),
    )  # fmt: skip


def _table(results: dict[str, AblationResult], end: str) -> str:
    """A row for each design of each network: S clean, under PGD at 4/255, and without either input."""
    rows = [row for name, result in results.items() if name.endswith(end) for row in result.table]
    return _lines(rows, "fusion", TITLES)


def _trainings(results: dict[str, AblationResult]) -> str:
    """A row for each training, and below it what it changes."""
    result = results["bbsnet-training"]
    lines = _lines(result.table, "training", TITLES)
    changes = [row for row in result.derived("externality") if row["fusion"] == "multistage"]
    for training in dict.fromkeys(row["training"] for row in changes):
        found = [_find(changes, training=training, condition=condition) for condition in SHOWN]
        cells = (f"{row['value']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}]" for row in found if row)
        lines += f"| | {training} - plain | " + " | ".join(cells) + " |\n"
    return lines


def _lines(rows: Sequence[dict[str, Any]], key: str, titles: Sequence[str]) -> str:
    head = f"| network | {key} | " + " | ".join(titles) + " |\n" + "|---" * (len(titles) + 2) + "|\n"
    lines = []
    for model, name in dict.fromkeys((row["model"], row[key]) for row in rows):
        found = [_find(rows, model=model, condition=condition, **{key: name}) for condition in SHOWN]
        cells = (f"{row['mean']:.3f} [{row['low']:.3f}, {row['high']:.3f}]" if row else "" for row in found)
        lines.append(f"| {model} | {name} | " + " | ".join(cells) + " |\n")
    return head + "".join(lines)


def _find(rows: Sequence[dict[str, Any]], *, condition: tuple[str, str, float], **wanted: str) -> dict[str, Any] | None:
    fitting = (
        row for row in rows
        if (row["attack"], row["modality"], row["eps"]) == condition
        and all(row[name] == value for name, value in wanted.items())
    )  # fmt: skip
    return next(fitting, None)


if __name__ == "__main__":
    typer.run(main)
