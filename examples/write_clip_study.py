"""Write the tables and figures of docs/clip-robustness.md from what make_clip_study.py measured."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import typer
from clip_study_numbers import CHANCE, TITLES, TUNED, ZERO_SHOT, Measured, Table
from make_clip_study import CHAIN, OUT, RATES, USUAL, Study
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rgbdsod.defenses.zero_shot.table import METHODS
from rgbdsod.run.ablation.statistics import Estimate, estimate

DOCS = Path(__file__).resolve().parents[1] / "docs"
MARK = re.compile(r"(<!-- measured: (\S+) .*?-->\n).*?(<!-- end -->)", re.DOTALL)


@dataclass(frozen=True)
class Page:
    """All of the page's tables.

    Args:
        study: what was measured.
    """

    study: Study

    @cached_property
    def usual(self) -> dict[str, Measured]:
        """Every method at the same rate."""
        return {name: Measured(self.study, name, USUAL) for name in ("none", *_methods())} | {
            "none": Measured(self.study, "none", 0.0)
        }

    @cached_property
    def chosen(self) -> dict[str, Measured]:
        """The methods of the chain at the rate that its validation chose."""
        return {"none": self.usual["none"]} | {
            name: Measured(self.study, name, self.study.rate(name)) for name in CHAIN
        }

    def rates(self) -> str:
        """What the validation said about each rate, and which it chose."""
        lines = ["| method | " + " | ".join(f"{rate:g}" for rate in RATES) + " |", "|---" * (1 + len(RATES)) + "|"]
        for name in CHAIN:
            scores = {rate: self.study.tuned(name, rate, 0).best["score"] for rate in RATES}
            best = self.study.rate(name)
            cells = (f"**{100 * own:.1f}**" if rate == best else f"{100 * own:.1f}" for rate, own in scores.items())
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
        return "\n".join(lines) + "\n"

    def usual_table(self) -> str:
        """Clean and worst case of each task, all methods at one rate."""
        return _table(self.usual)

    def chosen_table(self) -> str:
        """The same at the chosen rates."""
        return _table(self.chosen)

    def claims(self) -> str:
        """What an implementation of these methods must show, and whether it does."""
        own, lines = self.usual, ["| claim | measured | holds |", "|---|---|---|"]
        adversarial = [name for name in _methods() if name != "ft-clean"]

        def worst(name: str) -> Table:
            return own[name].draws("worst", (TUNED,))

        def clean(name: str) -> Table:
            return own[name].draws("clean", ZERO_SHOT)

        def add(claim: str, numbers: Table, holds: Callable[[Estimate], bool]) -> None:
            found = estimate(numbers)
            lines.append(f"| {claim} | {_interval(found)} | {'yes' if holds(found) else '**no**'} |")

        def above(least: float) -> Callable[[Estimate], bool]:
            return lambda found: found.value is not None and found.value > least

        def below(most: float) -> Callable[[Estimate], bool]:
            return lambda found: found.value is not None and found.value < most

        for name in ("none", "ft-clean"):
            add(f"tuning classes, worst case of {_title(name)} below 10", worst(name), below(0.1))
        best = max(("none", "ft-clean"), key=lambda name: float(worst(name)[0]))
        for name in adversarial:
            add(f"tuning classes, {name} at least 10 above both", worst(name) - worst(best), above(0.1))
        add("tuning classes, worst case: tecoa above fare", worst("tecoa") - worst("fare"), above(0.0))
        add("zero-shot, clean: fare above tecoa", clean("fare") - clean("tecoa"), above(0.0))
        add("zero-shot, clean: tga-zsr above tecoa", clean("tga-zsr") - clean("tecoa"), above(0.0))
        add("zero-shot, clean: pmg-aft at most 3 below tecoa", clean("pmg-aft") - clean("tecoa"), above(-0.03))
        everything = (TUNED, *ZERO_SHOT)
        for name in ("none", *_methods()):
            gap = own[name].draws("pgd", everything) - own[name].draws("worst", everything)
            most = 0.02 if name == "none" else 0.08
            add(f"PGD above the worst case, {_title(name)}: at most {100 * most:.0f}", gap, below(most))
        return "\n".join(lines) + "\n"

    def chain(self) -> str:
        """Neighbours in the published order, and the order that came out."""
        lines = [
            "| compared | tuning classes, worst case | zero-shot, worst case | zero-shot, clean |",
            "|---" * 4 + "|",
        ]
        for lower, higher in pairwise(("none", *CHAIN)):
            cells = [
                _verdict(self.chosen[higher].draws(measure, tasks) - self.chosen[lower].draws(measure, tasks))
                for measure, tasks in (("worst", (TUNED,)), ("worst", ZERO_SHOT), ("clean", ZERO_SHOT))
            ]
            lines.append(f"| {_title(higher)} - {_title(lower)} | " + " | ".join(cells) + " |")
        return "\n".join(lines) + f"\n\n{self._order('worst')}\n{self._order('clean')}\n"

    def numerics(self) -> str:
        """Ours and the released precision."""
        found = json.loads((self.study.out / "numerics.json").read_text(encoding="utf-8"))
        lines = ["| method | seed | float32, summed | as released | gained | zero gradients |", "|---" * 6 + "|"]
        for row in found:
            ours, theirs = (100 * row[name]["robust"] for name in ("float32", "as released"))
            lines.append(
                f"| {_title(row['method'])} | {row['seed']} | {ours:.1f} | {theirs:.1f} | {theirs - ours:+.1f} | "
                f"{row['as released']['zero gradient']:.0%} |"
            )
        return "\n".join(lines) + "\n"

    def classifiers(self) -> str:
        """Ordinary classifiers under the same attacks."""
        found = json.loads((self.study.out / "classifiers.json").read_text(encoding="utf-8"))
        radii = list(found[0]["robust"])
        lines = ["| network | clean | attack | " + " | ".join(radii) + " |", "|---" * (3 + len(radii)) + "|"]
        for row in found:
            cells = (f"{100 * left / row['images']:.1f}" for left in row["robust"].values())
            clean = f"{100 * row['clean'] / row['images']:.1f}"
            lines.append(f"| {row['network']} | {clean} | {row['attack']} | " + " | ".join(cells) + " |")
        return "\n".join(lines) + "\n"

    def _order(self, measure: str) -> str:
        """All methods from worst to best on the zero-shot mean, with = between neighbours that tie."""
        draws = {name: own.draws(measure, ZERO_SHOT) for name, own in self.chosen.items()}
        names = sorted(draws, key=lambda name: float(draws[name][0]))
        text = _title(names[0])
        for lower, higher in pairwise(names):
            text += f" {'<' if estimate(draws[higher] - draws[lower]).significant else '='} {_title(higher)}"
        return f"Zero-shot, {'worst case' if measure == 'worst' else 'clean'}: {text}\n"


def main(
    photographs: Annotated[list[Path] | None, typer.Argument(help="as for make_clip_study.py")] = None,
    out: Annotated[Path, typer.Option(help="folder of the study")] = OUT,
    docs: Annotated[Path, typer.Option(help="folder of the documentation")] = DOCS,
) -> None:
    """Fill the page's tables and draw its figures."""
    own = Page(Study(out, photographs or ()))
    tables = {
        "rates": own.rates, "usual": own.usual_table, "claims": own.claims, "chosen": own.chosen_table,
        "chain": own.chain, "numerics": own.numerics, "classifiers": own.classifiers,
    }  # fmt: skip
    page = docs / "clip-robustness.md"
    text = page.read_text(encoding="utf-8")
    page.write_text(MARK.sub(lambda mark: mark[1] + tables[mark[2]]() + mark[3], text), encoding="utf-8")
    assets = docs / "assets" / "clip-robustness"
    assets.mkdir(parents=True, exist_ok=True)
    plane(own.usual).savefig(assets / "plane.svg", metadata={"Date": None})
    curves(own).savefig(assets / "curves.svg", metadata={"Date": None})


def plane(methods: Mapping[str, Measured]) -> Figure:
    """Worst case against clean accuracy, zero-shot mean, with intervals."""
    figure, axes = _axes()
    for name, own in methods.items():
        x, y = (estimate(100 * own.draws(measure, ZERO_SHOT)) for measure in ("clean", "worst"))
        axes.errorbar(
            [_of(x.value)], [_of(y.value)], xerr=_arms(x), yerr=_arms(y), marker="o", markersize=4, linewidth=1,
            linestyle="", color=_colour(name), label=_title(name),
        )  # fmt: skip
    axes.set(xlabel="clean accuracy, %", ylabel="worst case at 8/255, %")
    axes.legend(fontsize=8, frameon=False)
    return figure


def curves(page: Page) -> Figure:
    """The way from the original to the tuned weights, each method at its chosen rate, seed 0."""
    figure, axes = _axes()
    for name in _methods():
        rows = [row for row in page.study.curve(name, page.study.rate(name), 0).rows if row["data"] in ZERO_SHOT]
        shares = sorted({row["share"] for row in rows})
        clean = [_mean(rows, share, "clean", "pgd") for share in shares]
        robust = [min(_mean(rows, share, "robust", attack) for attack in ("pgd", "aa-fast")) for share in shares]
        axes.plot(clean, robust, marker="o", markersize=3, linewidth=1.2, color=_colour(name), label=name)
    axes.set(xlabel="clean accuracy, %", ylabel="robust accuracy at 8/255, %")
    axes.legend(fontsize=8, frameon=False)
    return figure


def _axes() -> tuple[Figure, Axes]:
    figure = Figure(figsize=(6.4, 4.6), layout="constrained")
    axes = figure.add_subplot()
    axes.grid(alpha=0.3)
    return figure, axes


def _colour(name: str) -> str:
    """The same in both figures."""
    return "black" if name == "none" else f"C{_methods().index(name)}"


def _methods() -> list[str]:
    return [row.name for row in METHODS]


def _title(name: str) -> str:
    return "before hardening" if name == "none" else name


def _table(methods: Mapping[str, Measured]) -> str:
    """A row for each method: clean / worst case of every task; the mean; how far PGD is from the worst case."""
    heads = ["method", "rate", *TITLES.values(), "zero-shot mean", "PGD - worst", "zero gradients"]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for name, own in methods.items():
        cells = [_cell(own, (task,)) + ("*" if _at_chance(own, task) else "") for task in TITLES]
        everything = (TUNED, *ZERO_SHOT)
        gap = 100 * (own.draws("pgd", everything)[0] - own.draws("worst", everything)[0])
        rate = "" if name == "none" else f"{own.rate:g}"
        cells += [f"**{_cell(own, ZERO_SHOT)}**", f"{gap:.1f}", f"{100 * own.zeros():.1f} %"]
        lines.append(f"| {_title(name)} | {rate} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _cell(own: Measured, tasks: Sequence[str]) -> str:
    return " / ".join(f"{100 * own.draws(measure, tasks)[0]:.0f}" for measure in ("clean", "worst"))


def _at_chance(own: Measured, task: str) -> bool:
    """Whether clean accuracy is not above guessing; then a task says nothing any more."""
    low = estimate(own.draws("clean", (task,))).low
    return low is not None and low <= CHANCE[task]


def _verdict(numbers: Table) -> str:
    found = estimate(numbers)
    return f"{_interval(found)} {'' if found.significant else 'tie'}".strip()


def _interval(found: Estimate) -> str:
    return f"{100 * _of(found.value):+.1f} [{100 * _of(found.low):.1f}, {100 * _of(found.high):.1f}]"


def _arms(found: Estimate) -> list[list[float]]:
    value = _of(found.value)
    return [[max(0.0, value - _of(found.low))], [max(0.0, _of(found.high) - value)]]


def _of(value: float | None) -> float:
    return float("nan") if value is None else value


def _mean(rows: Sequence[Mapping[str, Any]], share: float, measure: str, attack: str) -> float:
    found = [float(row[measure]) for row in rows if row["share"] == share and row["attack"] == attack]
    return 100 * sum(found) / len(found)


if __name__ == "__main__":
    typer.run(main)
