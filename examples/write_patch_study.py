"""Write the tables and figures of docs/patches.md from what make_patch_study.py measured."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from make_patch_study import (
    DEPTH_MODES,
    GUARDED,
    MODALITIES,
    MODELS,
    NATURAL,
    OUT,
    PICTURES,
    SEEDS,
    SIZES,
    STATISTICS,
    TRANSFORMS,
    Study,
)  # fmt: skip
from matplotlib.figure import Figure
from patch_study_numbers import CONTROLS, Cell, interval, markdown
from PIL import Image
from scipy.stats import spearmanr

DOCS = Path(__file__).resolve().parents[1] / "docs"
MARK = re.compile(r"(<!-- measured: (\S+) .*?-->\n).*?(<!-- end -->)", re.DOTALL)
WORDS = {"bbsnet": "BBS-Net", "jldcf": "JL-DCF", "d3net": "D3Net", "rgb": "picture", "depth": "depth", "both": "both"}
SHOWN = {"adv_rgb": "picture", "adv_depth": "depth", "mask": "object", "clean_map": "map before", "attacked_map": "map"}
"""Files of an image's folder, and what stands above them."""

ATTACK_HEADS = ["clean", "grey card", "worst control", "", "patch", "effect", "lost"]


@dataclass(frozen=True)
class Page:
    """All of the page's tables.

    Args:
        study: what was measured.
    """

    study: Study

    def attack(self) -> str:
        """Each network and input."""
        cells = {
            (model, modality): self.cell(f"make-{model}-{modality}") for model in MODELS for modality in MODALITIES
        }
        rows = [[f"{WORDS[model]}, {WORDS[modality]}", *_attack(cell)] for (model, modality), cell in cells.items()]
        return markdown(["victim, patch on", *ATTACK_HEADS], rows)

    def size(self) -> str:
        """BBS-Net, picture."""
        cells = {size: self.cell(f"size-{size.rstrip('%')}") for size in SIZES}
        cells["5%"] = self.cell("make-bbsnet-rgb")
        ordered = sorted(cells, key=lambda size: float(size.rstrip("%")))
        return markdown(["share of the image", *ATTACK_HEADS], [[size, *_attack(cells[size])] for size in ordered])

    def depth(self) -> str:
        """What depth a patch may have."""
        cells = [(modality, mode, self.cell(f"{modality}-{mode}")) for modality, mode in DEPTH_MODES]
        cells += [(modality, "plane", self.cell(f"make-bbsnet-{modality}")) for modality in ("depth", "both")]
        order = ("surface", "card", "plane", "free")
        rows = [
            [f"{WORDS[modality]}, {mode}", *_attack(cell)]
            for modality, mode, cell in sorted(cells, key=lambda one: (one[0] != "depth", order.index(one[1])))
        ]
        return markdown(["patch on, its depth", *ATTACK_HEADS], rows)

    def transforms(self) -> str:
        """What a patch must stand while it is sought."""
        rows = [["none", *_attack(self.cell("make-bbsnet-rgb")), "-"]]
        for name in TRANSFORMS:
            cell = self.cell(f"transforms-{name}")
            rows.append([name, *_attack(cell), f"{cell.mean('drawn'):.2f}"])
        return markdown(["transformations", *ATTACK_HEADS, "transformed"], rows)

    def natural(self) -> str:
        """What a patch may show."""
        rows = [["anything", *_attack(self.cell("make-bbsnet-rgb"))]]
        rows += [[name, *_attack(self.cell(f"natural-{name}"))] for name in NATURAL]
        return markdown(["may show", *ATTACK_HEADS], rows)

    def photographs(self) -> str:
        """Potholes."""
        rows = [[WORDS[modality], *_attack(self.cell(f"photographs-{modality}"))] for modality in MODALITIES]
        return markdown(["patch on", *ATTACK_HEADS], rows)

    def transfer(self) -> str:
        """One patch for all pictures, fitted on other pictures and laid before each network."""
        rows = []
        for source in MODELS:
            cells = [
                self.cell(f"universal-{source}" + ("" if model == source else f"-on-{model}"), seeds=None)
                for model in MODELS
            ]
            rows.append([WORDS[source], *(f"{cell.mean('patched'):.2f}; {interval(cell.effect)}" for cell in cells)])
        return markdown(["fitted on, measured on", *(WORDS[model] for model in MODELS)], rows)

    def agreement(self) -> str:
        """Does finding the patch better go with losing less?"""
        found, gains = [], {"unaware": [], "aware": []}
        for rows in (self.rows(f"defend-{model}") for model in GUARDED):
            bare = next(row for row in rows if row["row"] == "none")
            for row in rows:
                if row["nmiou"] is None or row["row"] in ("oracle", "random-mask"):
                    continue
                found.append(row["nmiou"])
                for view, own in gains.items():
                    own.append(row[view]["iou_rest"] - bare["none"]["iou_rest"])
        lines = [[view, f"{spearmanr(found, own).statistic:+.2f}", str(len(own))] for view, own in gains.items()]
        return markdown(["patches", "rank correlation of NmIoU and gain", "cells"], lines)

    def summary(self, name: str) -> str:
        """A run's own table."""
        return f"```text\n{self._run(name).summary()}\n```\n"

    def rows(self, name: str) -> list[dict[str, Any]]:
        """A run's defences."""
        found: list[dict[str, Any]] = self._run(name).rows
        return found

    def tables(self) -> dict[str, Callable[[], str]]:
        """By the name of the mark that each replaces."""
        own = {
            name: getattr(self, name)
            for name in ("attack", "size", "depth", "transforms", "natural", "photographs", "transfer", "agreement")
        }
        runs = [name for name in self.study.runs() if name.startswith(("defend-", "detect-", STATISTICS))]
        return own | {name: lambda name=name: self.summary(name) for name in runs}

    def cell(self, name: str, seeds: Sequence[int] | None = SEEDS) -> Cell:
        """The runs of all seeds; or one run, whose name has no seed."""
        names = [name] if seeds is None else [f"{name}-{seed}" for seed in seeds]
        return Cell([self._run(one).samples for one in names])

    @cache  # noqa: B019  (one page lives as long as the script)
    def _run(self, name: str) -> Any:
        return self.study.runs()[name]()


def _attack(cell: Cell) -> list[str]:
    """The columns of a table of attacks."""
    values = [f"{cell.mean(state):.2f}" for state in ("clean", "grey", cell.worst)]
    return [*values, CONTROLS[cell.worst], f"{cell.mean('patched'):.2f}", interval(cell.effect), f"{cell.reached:.0%}"]


def bars(page: Page) -> Figure:
    """Clean, worst control and patch, for each network and input."""
    figure = Figure(figsize=(7.2, 3.0), layout="constrained")
    for place, model in enumerate(MODELS):
        axes = figure.add_subplot(1, len(MODELS), place + 1)
        cells = [page.cell(f"make-{model}-{modality}") for modality in MODALITIES]
        x = np.arange(len(cells))
        axes.bar(x, [cell.mean("patched") for cell in cells], width=0.55, color="#c1440e", label="patch")
        lines = (("clean", lambda _: "clean", "#1b7837"), ("worst control", lambda own: own.worst, "#444444"))
        for name, pick, colour in lines:
            heights = [cell.mean(pick(cell)) for cell in cells]
            axes.hlines(heights, x - 0.4, x + 0.4, color=colour, linewidth=2, label=name)
        axes.set(title=WORDS[model], ylim=(0, 1), xticks=x, xticklabels=[WORDS[modality] for modality in MODALITIES])
        axes.spines[["top", "right"]].set_visible(False)
        if place == 0:
            axes.set_ylabel("IoU beside the patch")
            figure.legend(
                *axes.get_legend_handles_labels(), ncols=3, fontsize=8, frameon=False, loc="outside lower center"
            )
        else:
            axes.set_yticklabels([])
    return figure


def pictures(study: Study) -> Figure:
    """Inputs with a patch, and the map before and after."""
    study.runs()[PICTURES]()
    folders = sorted((study.out / PICTURES / "images").iterdir())
    figure = Figure(figsize=(7.2, 1.5 * len(folders)), layout="constrained")
    for row, folder in enumerate(folders):
        for column, (name, head) in enumerate(SHOWN.items()):
            axes = figure.add_subplot(len(folders), len(SHOWN), row * len(SHOWN) + column + 1)
            with Image.open(folder / f"{name}.png") as picture:
                axes.imshow(np.asarray(picture.convert("RGB") if name == "adv_rgb" else picture), cmap="gray")
            axes.set_axis_off()
            if row == 0:
                axes.set_title(head, fontsize=9)
    return figure


def main(
    coco: Annotated[Path | None, typer.Option(help="as for make_patch_study.py")] = None,
    out: Annotated[Path, typer.Option(help="folder of the study")] = OUT,
    docs: Annotated[Path, typer.Option(help="folder of the documentation")] = DOCS,
) -> None:
    """Fill the page's tables and draw its figure."""
    own = Page(Study(out, coco))
    tables, page = own.tables(), docs / "patches.md"
    text = page.read_text(encoding="utf-8")
    filled = MARK.sub(lambda mark: mark[1] + tables[mark[2]]() + mark[3] if mark[2] in tables else mark[0], text)
    page.write_text(filled, encoding="utf-8")
    assets = docs / "assets" / "patches"
    assets.mkdir(parents=True, exist_ok=True)
    bars(own).savefig(assets / "inputs.svg", metadata={"Date": None})
    pictures(own.study).savefig(assets / "pictures.png", dpi=110)


if __name__ == "__main__":
    typer.run(main)
