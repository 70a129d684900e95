"""Measure the table of the README and draw its picture, on built-in data and weights: `make readme`."""

import re
from pathlib import Path
from typing import Annotated

import cv2
import matplotlib as mpl
import numpy as np
import typer

import rgbdsod
from rgbdsod.report.panels import depth_colours, difference
from rgbdsod.run.results import AttackResult

mpl.use("Agg")
from matplotlib import pyplot as plt

ROOT = Path(__file__).resolve().parents[1]
MODELS = {"d3net": "early", "bbsnet": "multi-stage", "jldcf": "multi-stage, shared encoder"}
MODALITIES = ("rgb", "depth", "both")
SHOWN = ("pothole-d2_38", "scene-1048576-000002")
MARK = re.compile(r"(<!-- measured: .*?-->\n).*?(<!-- end -->)", re.DOTALL)


def main(
    eps: Annotated[int, typer.Option(help="radius in grey levels")] = 2,
    steps: Annotated[int, typer.Option(help="of PGD")] = 20,
    runs: Annotated[Path, typer.Option(help="folder for the runs; finished ones stay")] = Path("runs/readme"),
) -> None:
    """Attack each model by noise and by PGD, on RGB, on depth, on both."""
    rows = [_row(model, fusion, eps / 255, steps, runs) for model, fusion in MODELS.items()]
    head = f"| model (fusion) | clean | noise, both | PGD-{steps}, RGB | PGD-{steps}, depth | PGD-{steps}, both |"
    table = "\n".join([head, "|---|---|---|---|---|---|", *rows]) + "\n"
    readme = ROOT / "README.md"
    readme.write_text(MARK.sub(lambda found: found[1] + table + found[2], readme.read_text(encoding="utf-8")))
    _draw(runs, eps, ROOT / "docs" / "assets" / "attack.png")
    typer.echo(table)


def _row(model: str, fusion: str, eps: float, steps: int, runs: Path) -> str:
    noise = rgbdsod.attack(model, "demo", attack="noise", eps=eps, out=runs / f"{model}-noise")
    cells = [_sm(noise, "clean"), _sm(noise, "attacked")]
    for modality in MODALITIES:
        out = runs / f"{model}-{modality}"
        cells.append(_sm(rgbdsod.attack(model, "demo", modality=modality, eps=eps, steps=steps, out=out), "attacked"))
        typer.echo(f"{model} {modality}: {cells[-1]}", err=True)
    return f"| {model} ({fusion}) | " + " | ".join(cells) + " |"


def _sm(result: AttackResult, when: str) -> str:
    return f"{result.document()[when]['sm']:.3f}"


def _draw(runs: Path, eps: int, out: Path) -> None:
    """A row for each shown image: the inputs, what was changed, and the maps of BBS-Net."""
    titles = ["RGB", "depth (near is bright)", f"depth changed by {eps}/255 (x64)", "ground truth", "map",
              "depth attacked", "RGB attacked"]  # fmt: skip
    figure, axes = plt.subplots(len(SHOWN), len(titles), figsize=(14, 3.4), layout="constrained")
    for cell, title in zip(axes[0], titles, strict=True):
        cell.set_title(title, fontsize=10)
    for row, name in zip(axes, SHOWN, strict=True):
        depth, rgb = (runs / f"bbsnet-{modality}" / "images" / name for modality in ("depth", "rgb"))
        change = difference(_depth(depth / "adv_depth.png"), _depth(depth / "depth.png"), gain=64)
        pictures = [_read(depth / "rgb.png"), depth_colours(_depth(depth / "depth.png")), change,
                    *(_read(depth / f"{part}.png") for part in ("mask", "clean_map", "attacked_map")),
                    _read(rgb / "attacked_map.png")]  # fmt: skip
        for cell, picture in zip(row, pictures, strict=True):
            cell.imshow(picture, cmap="gray", vmin=0, vmax=255)
            cell.set_axis_off()
    out.parent.mkdir(exist_ok=True)
    figure.savefig(out, dpi=90)


def _read(path: Path) -> np.ndarray:
    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    return picture[..., ::-1] if picture.ndim == 3 else picture


def _depth(path: Path) -> np.ndarray:
    levels = _read(path)
    return levels / np.iinfo(levels.dtype).max


if __name__ == "__main__":
    typer.run(main)
