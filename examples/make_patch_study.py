"""Run the study of docs/patches.md: `make patch-study`.

Patches on each input of the built-in networks beside their controls, patches moved to other networks, defences under
patches that do not know them and under patches that do, and trained detectors. Some four hours on one core from
nothing; what lies in `runs/patch-study` is not computed again, and `write_patch_study.py` makes the page of it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from rgbdsod.run import apply_patch_file, defend_patches, evaluate_patches, make_patches, patch_statistics

OUT = Path("runs/patch-study")
SCENES, PHOTOGRAPHS, FITTED_ON = "scenes:12@128x128#1048578", "demo:real", "scenes:32@128x128#2097152"
STEPS, UNIVERSAL_STEPS = 50, 300
SEEDS = (0, 1, 2)
MODELS, MODALITIES = ("bbsnet", "jldcf", "d3net"), ("rgb", "depth", "both")
SIZES = ("1%", "2%", "10%")
TRANSFORMS = ("digital", "print", "hard")
NATURAL = ("crop", "mix", "lowpass", "vae")
FAMILIES = ("make-bbsnet-rgb-0", *(f"natural-{family}-0" for family in NATURAL))
STATISTICS = "statistics"
DEPTH_MODES = (("depth", "card"), ("depth", "free"), ("both", "surface"), ("both", "card"), ("both", "free"))
GUARDS = ("jpeg", "median", "tv", "lgs", "jedi", "pad-lite", "sac", "patchzero", "zmask", "cross-gate")
GUARDED = {"bbsnet": (SCENES, GUARDS), "d3net": ("scenes:4@128x128#1048578", ("median", "lgs", "jedi", "sac"))}
"""The networks whose defences are measured: on what, and which."""

BOX_GUARDS = ("median", "lgs", "sac")
PICTURES = "pictures"
"""The run that the page shows."""

COCO_SIDE, COCO_IMAGES, COCO_STEPS, COCO_GUARDS = (352, 352), 16, 30, ("lgs", "sac")

Run = Callable[[], Any]


@dataclass(frozen=True)
class Study:
    """Where the runs lie.

    Args:
        out: folder of the runs.
        coco: folder with annotations/ and val2017/, with weights/ beside it; None leaves those runs out.
    """

    out: Path = OUT
    coco: Path | None = None

    def runs(self) -> dict[str, Run]:
        """Every run by its name, in an order in which each finds what it needs."""
        parts = (self._attacks(), self._transfers(), self._defences(), self._detectors())
        return {name: run for part in parts for name, run in part}

    def _make(self, name: str, model: str, data: str = SCENES, **settings: Any) -> tuple[str, Run]:
        usual = {"where": "off-object", "size": "5%", "steps": STEPS, "modality": "rgb", **settings}
        images = "all" if name == PICTURES else 0
        return name, lambda: make_patches(model, data, out=self.out / name, save_images=images, **usual)

    def _attacks(self) -> Iterator[tuple[str, Run]]:
        yield self._make(PICTURES, "bbsnet", "scenes:3@128x128#1048578", modality="both", depth_mode="card")
        for seed in SEEDS:
            for model in MODELS:
                for modality in MODALITIES:
                    yield self._make(f"make-{model}-{modality}-{seed}", model, modality=modality, seed=seed)
            for modality in MODALITIES:
                yield self._make(f"photographs-{modality}-{seed}", "bbsnet", PHOTOGRAPHS, modality=modality, seed=seed)
            for size in SIZES:
                yield self._make(f"size-{size.rstrip('%')}-{seed}", "bbsnet", size=size, seed=seed)
            for modality, mode in DEPTH_MODES:
                yield self._make(f"{modality}-{mode}-{seed}", "bbsnet", modality=modality, depth_mode=mode, seed=seed)
            for transforms in TRANSFORMS:
                yield self._make(f"transforms-{transforms}-{seed}", "bbsnet", transforms=transforms, seed=seed)
            for family in NATURAL:
                yield self._make(f"natural-{family}-{seed}", "bbsnet", natural=family, seed=seed)

        yield STATISTICS, _later(patch_statistics, [self.out / name for name in FAMILIES], out=self.out / STATISTICS)

    def _transfers(self) -> Iterator[tuple[str, Run]]:
        for source in MODELS:
            name = f"universal-{source}"
            yield self._make(
                name, source, universal=True, fit_data=FITTED_ON, steps=UNIVERSAL_STEPS, smooth=0.0, printable=0.0
            )
            for model in MODELS:
                if model != source:
                    yield f"{name}-on-{model}", self._apply(name, model)

    def _apply(self, patch: str, model: str) -> Run:
        out = self.out / f"{patch}-on-{model}"
        return lambda: apply_patch_file(self.out / patch, model, SCENES, out=out, save_images=0)

    def _defences(self) -> Iterator[tuple[str, Run]]:
        usual = {"where": "off-object", "size": "5%", "steps": STEPS}
        for model, (scenes, guards) in GUARDED.items():
            name = f"defend-{model}"
            yield (
                name,
                _later(defend_patches, model, scenes, out=self.out / name, modality="rgb", defenses=guards, **usual),
            )

    def _detectors(self) -> Iterator[tuple[str, Run]]:
        name = "detect-shapes"
        yield (
            name,
            _later(
                evaluate_patches,
                "fcos.tiny",
                n_samples=16,
                size="6%",
                steps=STEPS,
                defenses=BOX_GUARDS,
                out=self.out / name,
            ),
        )
        if self.coco is not None:
            name, where = "detect-coco", self.coco
            weights = next((where.parent / "weights" / "fastestdet_coco").glob("*.pth"))
            yield name, _later(
                evaluate_patches, "fastestdet", weights=weights, images=where / "val2017",
                annotations=where / "annotations" / "instances_val2017_mini.json", image_size=COCO_SIDE,
                n_samples=COCO_IMAGES, size="20%", where="box", attacked="person", steps=COCO_STEPS,
                defenses=COCO_GUARDS, out=self.out / name,
            )  # fmt: skip


def _later(function: Callable[..., Any], *given: Any, **settings: Any) -> Run:
    return lambda: function(*given, **settings)


def main(
    names: Annotated[
        list[str] | None, typer.Argument(help="runs, or what their names begin with; all by default")
    ] = None,
    coco: Annotated[Path | None, typer.Option(help="folder with annotations/, val2017/ and weights beside it")] = None,
    out: Annotated[Path, typer.Option(help="folder of the runs")] = OUT,
) -> None:
    """Compute what is not there yet, and print it."""
    for name, run in Study(out, coco).runs().items():
        if not names or name.startswith(tuple(names)):
            typer.echo(f"## {name}\n{run().summary()}\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    typer.run(main)
