"""Run the study of docs/defences.md: `make defence-study`.

Trains BBS-Net plainly and by adversarial training on RGB, on depth and on both, fused early and at every level; attacks
all of them on each input; puts filters and a detector before the plain and the hardened ones, and attacks those by who
knows them; and walks the line between a clean and a hardened network. Some five hours on one thread of a busy
machine; what lies in `runs` is not computed again, and `write_defence_study.py` makes the page of it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from make_fusion_ablation import SCENES, SCHOOLING

import rgbdsod
from rgbdsod.models import load_model
from rgbdsod.run import Grid, Target, defend
from rgbdsod.run.ablation.grid import Network
from rgbdsod.run.ablation.weights import find_trained

OUT = Path("runs")
FUSIONS, SEEDS = ("early", "multistage"), (0, 1, 2)
TRAININGS = ("plain", "adversarial-rgb", "adversarial-depth", "adversarial-both")
EPS = 4 / 255

GUARDED, GUARD_SEEDS = ("plain", "adversarial-both"), (0, 1)
"""The trainings whose networks get defences, and of how many of them."""
CHAINS = ("median", "jpeg(quality=50)", "joint-bilateral", "median+detect")
FEW = "scenes:4@64x64#1048578"
LIMITS = "scenes:64@64x64#2097153"

LINE = ("bbsnet", "bbsnet.robust")
LINE_SCENES, ALPHAS = "scenes:16@128x128#1048578", tuple(step / 4 for step in range(5))

Run = Callable[[], Any]


@dataclass(frozen=True)
class Study:
    """Where the runs lie.

    Args:
        out: folder of all runs.
    """

    out: Path = OUT

    def runs(self) -> dict[str, Run]:
        """Every run by its name, in an order in which each finds what it needs."""
        return {name: run for part in (self._grids(), self._defences(), self._lines()) for name, run in part}

    def grid(self, fusion: str) -> Path:
        """Folder of an ablation."""
        return self.out / "ablate" / f"hard-{fusion}"

    def defence(self, training: str, modality: str, seed: int) -> Path:
        """Folder of a run on defences."""
        return self.out / "defence-study" / f"defend-{training}-{modality}-{seed}"

    def line(self, alpha: float, modality: str) -> Path:
        """Folder of an attack on a network between two others."""
        return self.out / "defence-study" / f"line-{alpha:g}-{modality}"

    def _grids(self) -> Iterator[tuple[str, Run]]:
        for fusion in FUSIONS:
            grid = Grid(
                model=("bbsnet",), fusion=(fusion,), training=TRAININGS, seeds=SEEDS, schooling=SCHOOLING,
                attacks=("apgd",), transfer=False,
            )  # fmt: skip
            target = Target(out=self.grid(fusion))
            yield f"hard-{fusion}", partial(rgbdsod.ablate, grid, SCENES, weights=self.weights, target=target,
                                            device="cpu", callback=_show)  # fmt: skip

    @property
    def weights(self) -> Path:
        """Folder of the trained networks, which ablations share."""
        return self.out / "ablate" / "weights"

    def _defences(self) -> Iterator[tuple[str, Run]]:
        for seed in GUARD_SEEDS:
            for training in GUARDED:
                for modality in ("rgb", "depth"):
                    yield f"defend-{training}-{modality}-{seed}", partial(self._defend, training, modality, seed)

    def _defend(self, training: str, modality: str, seed: int) -> Any:
        network = Network("bbsnet", "multistage", training, seed)
        found = find_trained(network, SCHOOLING, self.weights)
        if found is None:
            raise typer.BadParameter(f"{network.key} is not trained yet; run hard-multistage first")
        return defend(
            found.load("cpu"), FEW, defenses=CHAINS, calibration=LIMITS, attack="apgd", modality=modality, eps=EPS,
            steps=20, seed=seed, checks=False, out=self.defence(training, modality, seed),
        )  # fmt: skip

    def _lines(self) -> Iterator[tuple[str, Run]]:
        for alpha in ALPHAS:
            for modality in ("rgb", "depth", "both"):
                yield f"line-{alpha:g}-{modality}", partial(self._walk, alpha, modality)

    def _walk(self, alpha: float, modality: str) -> Any:
        between = rgbdsod.interpolate(*(load_model(name, device="cpu") for name in LINE), alpha)
        return rgbdsod.attack(
            between, LINE_SCENES, attack="apgd", modality=modality, eps=EPS, steps=20, out=self.line(alpha, modality)
        )


def _show(done: float, total: int, text: str) -> None:
    typer.echo(f"{done:.2f}/{total} {text}", err=True)


def main(
    names: Annotated[
        list[str] | None, typer.Argument(help="runs, or what their names begin with; all by default")
    ] = None,
    out: Annotated[Path, typer.Option(help="folder of the runs")] = OUT,
) -> None:
    """Compute what is not there yet, and print it."""
    for name, run in Study(out).runs().items():
        if not names or name.startswith(tuple(names)):
            typer.echo(f"## {name}\n{run().summary()}\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    typer.run(main)
