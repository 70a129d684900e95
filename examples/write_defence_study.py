"""Write the tables and figures of docs/defences.md from what make_defence_study.py measured."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from ablation_tables import Condition, changes, means, rewrite
from make_defence_study import ALPHAS, CHAINS, EPS, FUSIONS, GUARD_SEEDS, GUARDED, OUT, Study
from numpy.typing import NDArray

from rgbdsod.report.ablation.document import AblationDocument
from rgbdsod.report.ablation.graphs import drawn_figures
from rgbdsod.report.ablation.standalone import standalone
from rgbdsod.run import AblationResult
from rgbdsod.run.ablation.statistics import Draws, Estimate, estimate

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE, FIGURES = "defences.md", "assets/defences/externality-{}.svg"
INPUTS = {"rgb": "RGB", "depth": "depth", "both": "both"}
COLUMNS: dict[str, Condition] = {
    "clean": ("clean", "none", 0.0),
    **{f"{title} attacked": ("apgd", name, EPS) for name, title in INPUTS.items()},
}
NONE = "none"

Table = NDArray[np.float64]
"""Of seeds and images."""


@dataclass(frozen=True)
class Page:
    """All of the page's tables.

    Args:
        study: what was measured.
    """

    study: Study

    def tables(self) -> dict[str, str]:
        """Each by the name of its mark."""
        guarded = {f"guards-{training}": self._guards(training) for training in GUARDED}
        return {
            **{f"hard-{fusion}": self._externality(fusion) for fusion in FUSIONS},
            "longer": self._longer(),
            **guarded,
            "line": self._line(),
        }

    @cache  # noqa: B019  (one page a process)
    def result(self, name: str) -> Any:
        """A finished run."""
        return self.study.runs()[name]()

    def grid(self, fusion: str) -> AblationResult:
        """An ablation of trainings."""
        found: AblationResult = self.result(f"hard-{fusion}")
        return found

    def _externality(self, fusion: str) -> str:
        result = self.grid(fusion)
        return means(result.table, "training", COLUMNS) + changes(result, fusion, COLUMNS)

    def _longer(self) -> str:
        """What is left of each training's IoU under 20 steps of APGD, and under the worst of all attacks."""
        lines = [
            "| training | attacked | clean | APGD-20 | worst of all attacks | taken besides |",
            "|---|---|---|---|---|---|",
        ]
        for training, name in _pairs():
            values = {view: self._values(training, name, NONE, view) for view in ("clean", "unaware", "aware")}
            cells = [_interval(one) for one in values.values()]
            cells.append(_interval(values["unaware"] - values["aware"]))
            lines.append(f"| {training} | {INPUTS[name]} | " + " | ".join(cells) + " |")
        return "\n".join(lines) + "\n"

    def _guards(self, training: str) -> str:
        """What each chain costs clean, and saves of RGB and of depth from who does not know it, and who does."""
        head = ["defence", "clean cost", *(f"{INPUTS[name]}, {who}" for name in ("rgb", "depth")
                for who in ("unaware", "aware")), "passes", "time"]  # fmt: skip
        lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
        for chain in CHAINS:
            costs = [self._values(training, "rgb", row, "clean") for row in (NONE, chain)]
            cells = [_signed(costs[0] - costs[1])]
            for name in ("rgb", "depth"):
                for view in ("unaware", "aware"):
                    bare, own = (self._values(training, name, row, view) for row in (NONE, chain))
                    cells.append(_signed(own - bare))
            rows = [self._row(training, name, seed, chain) for name in ("rgb", "depth") for seed in GUARD_SEEDS]
            passes, times = (np.mean([row[key] for row in rows]) for key in ("passes", "time"))
            lines.append(f"| `{chain}` | {' | '.join(cells)} | {passes:.0f} | {times:.2f} |")
        return "\n".join(lines) + "\n"

    def _row(self, training: str, modality: str, seed: int, chain: str) -> dict[str, Any]:
        rows = self.result(f"defend-{training}-{modality}-{seed}").rows
        found: dict[str, Any] = next(row for row in rows if row["row"] == chain)
        return found

    def _values(self, training: str, modality: str, chain: str, view: str) -> Table:
        """IoU of each seed and image."""
        runs = (self.result(f"defend-{training}-{modality}-{seed}") for seed in GUARD_SEEDS)
        return np.array([[one[f"{view}_iou"] for one in run.samples if one["row"] == chain] for run in runs])

    def _line(self) -> str:
        """S-measure of networks between a clean and a hardened one."""
        lines = [
            "| share of robust weights | clean | " + " | ".join(f"{one} attacked" for one in INPUTS.values()) + " |",
            "|---" * 5 + "|",
        ]
        for alpha in ALPHAS:
            runs = [self.result(f"line-{alpha:g}-{name}") for name in INPUTS]
            values = [_measure(runs[0].samples, "clean"), *(_measure(run.samples, "attacked") for run in runs)]
            lines.append(f"| {alpha:g} | " + " | ".join(_interval(one) for one in values) + " |")
        return "\n".join(lines) + "\n"


def _pairs() -> Iterator[tuple[str, str]]:
    return ((training, name) for training in GUARDED for name in ("rgb", "depth"))


def _measure(samples: Sequence[dict[str, Any]], when: str) -> Table:
    """S-measure of each image, as one seed."""
    return np.array([[row[f"{when}_sm"] for row in samples]])


def _estimate(values: Table) -> Estimate:
    return estimate(Draws(*values.shape).mean(values))


def _interval(values: Table) -> str:
    own = _estimate(values)
    return f"{own.value:.3f} [{own.low:.3f}, {own.high:.3f}]"


def _signed(values: Table) -> str:
    own = _estimate(values)
    return f"{own.value:+.3f} [{own.low:+.3f}, {own.high:+.3f}]"


def main(
    out: Annotated[Path, typer.Option(help="folder of the runs")] = OUT,
    docs: Annotated[Path, typer.Option(help="folder of the documentation")] = DOCS,
) -> None:
    """Write the measured tables between the page's marks, and the figures beside it; what is missing is run first."""
    page = Page(Study(out))
    rewrite(docs / PAGE, page.tables())
    for fusion in FUSIONS:
        figures = {one.name: one.svg for one in drawn_figures(AblationDocument.of(page.grid(fusion).document))}
        target = docs / FIGURES.format(fusion)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(standalone(figures["externality-apgd-4"]), encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
