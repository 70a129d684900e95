"""One trained network under every attack of the grid, and without either input."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rgbdsod.datasets import Dataset
from rgbdsod.models import SaliencyModel
from rgbdsod.run.ablation.grid import Grid, Network
from rgbdsod.run.ablation.missing import Missing
from rgbdsod.run.attack import attack_task
from rgbdsod.run.evaluate import evaluate
from rgbdsod.run.execute import Target, execute
from rgbdsod.run.modeling import device_of
from rgbdsod.run.results import AttackResult

CLEAN, MISSING = "clean", "missing"
VALUES = ("sm", "fm_max", "em_max", "mae", "iou_bin")
"""Of each cell, benchmark protocol."""

Done = Callable[[float], None]
"""Called with the share of a network's measurements that are done."""


@dataclass(frozen=True)
class Condition:
    """What was done to the inputs.

    Args:
        attack: "clean", "missing" or the attack's name.
        modality: what was attacked or lost: "rgb", "depth", "both"; "none" where nothing was.
        eps: radius in units of the [0, 1] inputs; 0 where nothing was attacked.
    """

    attack: str = CLEAN
    modality: str = "none"
    eps: float = 0.0


@dataclass(frozen=True, eq=False)
class Cell:
    """One network under one condition.

    Args:
        network, condition: which.
        values: of the data set, by the names in `VALUES`.
        per_image: S-measure of each image, benchmark protocol, (N,).
        fooled: how many images fell below the attack's success rule; None where nothing was attacked.
    """

    network: Network
    condition: Condition
    values: dict[str, float]
    per_image: NDArray[np.float64]
    fooled: int | None = None

    def row(self) -> dict[str, Any]:
        """A line of the document."""
        return vars(self.network) | vars(self.condition) | self.values | {"fooled": self.fooled}


def count(grid: Grid, network: Network) -> int:
    """How many measurements a network takes: attacks of all radii, and missing inputs."""
    lost = len(network.inputs) if len(network.inputs) > 1 else 0
    return len(grid.attacks) * len(grid.attacked(network)) + lost


def measure_network(
    grid: Grid,
    network: Network,
    model: SaliencyModel,
    data: Dataset,
    *,
    out: Path | None,
    batch: int | None = None,
    done: Done = lambda share: None,
) -> list[Cell]:
    """All cells of a network; what is on disk is read.

    Args:
        grid: attacks and radii.
        network: which one; model: it, in evaluation mode.
        data: images with masks.
        out: a folder for one run folder each; None writes nothing.
        batch: images at once; None chooses.
        done: is told about progress.
    """
    cells: list[Cell] = []
    parts = count(grid, network)
    for place, measured in enumerate(_measurements(grid, network, model, data, out, batch), start=1):
        cells += [cell for cell in measured if cell.condition.attack != CLEAN or not cells]
        done(place / parts)
    return cells


def _measurements(
    grid: Grid, network: Network, model: SaliencyModel, data: Dataset, out: Path | None, batch: int | None
) -> Iterator[list[Cell]]:
    for attack in grid.attacks:
        for modality in grid.attacked(network):
            task = attack_task(model, data, grid.settings(attack, modality), save_images="none")
            where = None if out is None else Target(out=out / f"{attack}-{modality}")
            result = AttackResult(execute(task, target=where, device=device_of(model), batch=batch))
            yield _attacked(network, attack, modality, result)
    if len(network.inputs) > 1:
        for modality in network.inputs:
            folder = None if out is None else out / f"{MISSING}-{modality}"
            lost = Missing(data, modality)  # type: ignore[arg-type]  # networks of an ablation read rgb and depth
            found = evaluate(model, lost, metrics=VALUES, save_images="none", out=folder, batch=batch)
            values, rows = found.metrics["clean"]["benchmark"]["values"], found.samples
            yield [Cell(network, Condition(MISSING, modality), _chosen(values), _column(rows, "clean"))]


def _attacked(network: Network, attack: str, modality: str, result: AttackResult) -> list[Cell]:
    """The clean cell, and one for each radius."""
    metrics, turns = result.metrics, len(result.metrics["results"])
    first = result.samples[::turns]
    clean = Cell(network, Condition(), _chosen(metrics["clean"]["benchmark"]["values"]), _column(first, "clean"))
    cells = [clean]
    for turn, found in enumerate(metrics["results"]):
        rows = result.samples[turn::turns]
        radius = max(float(rows[0][name]) for name in rows[0] if name.startswith("eps_"))
        values = _chosen(found["attacked"]["benchmark"]["values"])
        condition = Condition(attack, modality, radius)
        cells.append(Cell(network, condition, values, _column(rows, "attacked"), int(found["fooled"])))
    return cells


def _chosen(values: Mapping[str, float]) -> dict[str, float]:
    return {name: float(values[name]) for name in VALUES}


def _column(rows: list[dict[str, Any]], prefix: str) -> NDArray[np.float64]:
    return np.array([row[f"{prefix}_sm"] for row in rows], np.float64)
