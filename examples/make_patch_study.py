"""Repeat the study of docs/patches.md: `make patch-study`.

Patches on each input of the built-in networks beside their controls, defences under patches that do not know them and
under patches that do, and a trained detector. Some forty minutes on one core from nothing; what lies in
`runs/patch-study` is not computed again.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from rgbdsod.run import defend_patches, evaluate_patches, make_patches

OUT = Path("runs/patch-study")
PAGE = Path(__file__).resolve().parents[1] / "docs" / "patches.md"
MARK = re.compile(r"(<!-- measured: (\S+) .*?-->\n).*?(<!-- end -->)", re.DOTALL)
SCENES, PHOTOGRAPHS = "scenes:12@128x128#1048578", "demo:real"
STEPS = 50
MODELS, MODALITIES = ("bbsnet", "jldcf", "d3net"), ("rgb", "depth", "both")
SIZES = ("1%", "2%", "5%", "10%")
MODES = ("surface", "card", "free")
GUARDS = ("jpeg", "median", "tv", "lgs", "jedi", "sac", "cross-gate")
COCO_SIDE, COCO_IMAGES = (352, 352), 16

Run = Callable[[], Any]


def runs(out: Path, coco: Path | None) -> dict[str, Run]:
    """Every run of the study by the name of its folder."""
    found: dict[str, Run] = {}

    def make(name: str, model: str, data: str, **settings: Any) -> None:
        common = {"where": "off-object", "size": "5%", "steps": STEPS, **settings}
        found[name] = lambda: make_patches(model, data, out=out / name, save_images=0, **common)

    def defend(name: str, model: str, **settings: Any) -> None:
        common = {"where": "off-object", "size": "5%", "steps": STEPS, "defenses": GUARDS, **settings}
        found[name] = lambda: defend_patches(model, SCENES, out=out / name, **common)

    for model in MODELS:
        for modality in MODALITIES:
            make(f"make-{model}-{modality}", model, SCENES, modality=modality)
    for size in SIZES:
        make(f"size-{size.rstrip('%')}", "bbsnet", SCENES, modality="rgb", size=size)
    for mode in MODES:
        make(f"both-{mode}", "bbsnet", SCENES, modality="both", depth_mode=mode)
        if mode != "surface":  # where depth alone has nothing to seek
            make(f"depth-{mode}", "bbsnet", SCENES, modality="depth", depth_mode=mode)
    defend("defend-bbsnet-rgb", "bbsnet", modality="rgb")
    defend("defend-bbsnet-depth", "bbsnet", modality="depth", defenses=("median", "tv", "cross-gate"))
    found["detect-shapes"] = lambda: evaluate_patches(
        "fcos.tiny", n_samples=32, steps=STEPS, size="6%", defenses=("median", "lgs", "sac"), out=out / "detect-shapes"
    )
    for modality in MODALITIES:
        make(f"photographs-{modality}", "bbsnet", PHOTOGRAPHS, modality=modality)
    if coco is not None:
        weights = next((coco.parent / "weights" / "fastestdet_coco").glob("*.pth"))
        found["detect-coco"] = lambda: evaluate_patches(
            "fastestdet", weights=weights, annotations=coco / "annotations" / "instances_val2017_mini.json",
            images=coco / "val2017", image_size=COCO_SIDE, n_samples=COCO_IMAGES, steps=STEPS, size="20%", where="box",
            attacked="person", defenses=("median", "lgs"), out=out / "detect-coco",
        )  # fmt: skip
    return found


def main(
    names: Annotated[
        list[str] | None, typer.Argument(help="runs; all by default, and then the page is written")
    ] = None,
    coco: Annotated[Path | None, typer.Option(help="folder with annotations/, val2017/ and weights beside it")] = None,
    out: Annotated[Path, typer.Option(help="folder of the runs")] = OUT,
) -> None:
    """Run or read the study."""
    results = {name: run() for name, run in runs(out, coco).items() if not names or name in names}
    for name, result in results.items():
        typer.echo(f"## {name}\n{result.summary()}\n")
    if not names:
        write(results)


def write(results: Mapping[str, Any]) -> None:
    """Put every run's table into the page."""
    text = PAGE.read_text(encoding="utf-8")

    def block(mark: re.Match[str]) -> str:
        if mark[2] not in results:
            return mark[0]
        return f"{mark[1]}```text\n{results[mark[2]].summary()}\n```\n{mark[3]}"

    PAGE.write_text(MARK.sub(block, text), encoding="utf-8")


if __name__ == "__main__":
    torch.set_num_threads(1)
    typer.run(main)
