"""An entry's cells: a run of `rgbdsod.run.defend` for each modality and radius."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np

from rgbdsod.datasets import Dataset
from rgbdsod.models import SaliencyModel, load_model
from rgbdsod.run.board.cell import Cell, nested
from rgbdsod.run.board.entry import Entry, Network
from rgbdsod.run.board.ranking import Measured
from rgbdsod.run.board.suite import INPUTS, Board
from rgbdsod.run.defense.defend import defend
from rgbdsod.run.defense.result import DefenseResult
from rgbdsod.run.modeling import get_model, model_record

CellCallback = Callable[[float, str], None]
"""Called with (cells of this entry that are done, the present one)."""


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What all cells have in common.

    Args:
        board: what is measured.
        data: its images.
        seed, device, batch: see `leaderboard`.
        out: the folder of the cells' folders; None writes nothing.
    """

    board: Board
    data: Dataset
    seed: int = 0
    device: str = "auto"
    batch: int | None = None
    out: Path | None = None


def opened(network: Network, device: str) -> SaliencyModel:
    """The network itself.

    Raises:
        UsageError, WeightsError: see `load_model`.
    """
    model = get_model(load_model(network.model, network.weights, network.fusion, device=device))
    return model if network.size is None else model.at(network.size)


def measured(bench: Bench, model: SaliencyModel, entry: Entry, tell: CellCallback) -> Measured:
    """An entry under everything; none of its numbers depends on which other entries there are.

    Args:
        bench: what is measured.
        model: the entry's network.
        entry: its defence.
        tell: is told about progress.
    """
    runs: dict[tuple[tuple[str, ...], float], DefenseResult] = {}
    for turn, (modality, eps) in enumerate(bench.board.places):
        key = read_of(model, modality), eps
        if key[0] and key not in runs:
            runs[key] = _run(bench, model, entry, *key, partial(_share, tell, turn, modality))
    rows = {key: [row for row in run.samples if row["row"] == entry.chain] for key, run in runs.items()}
    clean = np.array([row["clean_iou"] for row in next(iter(rows.values()))], np.float64)
    cells = []
    for modality, eps in bench.board.places:
        key = read_of(model, modality), eps
        if key[0]:
            cells.append(Cell.of(modality, eps, rows[key], _failed(runs[key], entry.chain)))
        else:
            cells.append(Cell.unread(modality, eps, clean))
    seconds = [row["seconds"] for own in rows.values() for row in own]
    return Measured(entry, model_record(model), tuple(nested(cells)), median(seconds), tuple(_notes(model)))


def read_of(model: SaliencyModel, modality: str) -> tuple[str, ...]:
    """The inputs of a modality that a network reads."""
    return tuple(name for name in INPUTS[modality] if name in model.inputs)


def _share(tell: CellCallback, turn: int, modality: str, share: float) -> None:
    """How far a cell is."""
    tell(turn + share, modality)


def _run(
    bench: Bench, model: SaliencyModel, entry: Entry, names: tuple[str, ...], eps: float, tell: Callable[[float], None]
) -> DefenseResult:
    modality = names[0] if len(names) == 1 else "both"
    folder = f"{entry.slug}-{modality}-{eps * 255:g}"
    return defend(
        model, bench.data, defenses=entry.chain, modality=modality, eps=eps, seed=bench.seed, batch=bench.batch,
        out=None if bench.out is None else bench.out / folder, callback=lambda done, images: tell(done / images),
        **bench.board.settings,
    )  # fmt: skip


def _failed(run: DefenseResult, chain: str) -> list[str]:
    """What the checks say against the attacks on one defence."""
    own = f"{chain}: "
    return [text.removeprefix(own) for text in run.warnings if text.startswith(own)]


def _notes(model: SaliencyModel) -> Iterator[str]:
    unread = [name for name in INPUTS["both"] if name not in model.inputs]
    for name in unread:
        yield f"reads no {name}: attacks on it change nothing, and both is the other input alone"
