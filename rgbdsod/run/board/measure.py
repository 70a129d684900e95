"""The cells of all entries with one network: attacked together, since the undefended network is the same."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from statistics import median
from typing import Any

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
"""Called with (cells of this network that are done, the present one)."""


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What the cells of all networks have in common.

    Args:
        board: what is measured.
        data: its images.
        seed, device, batch: see `leaderboard`.
        out: the folder of the networks' folders; None writes nothing.
    """

    board: Board
    data: Dataset
    seed: int = 0
    device: str = "auto"
    batch: int | None = None
    out: Path | None = None


def networks_of(entries: Sequence[Entry]) -> list[tuple[Network, list[Entry]]]:
    """Entries by network, in the order of the first of each."""
    first = list(dict.fromkeys(entry.network for entry in entries))
    ordered = sorted(entries, key=lambda entry: first.index(entry.network))
    return [(network, list(own)) for network, own in groupby(ordered, key=lambda entry: entry.network)]


def opened(network: Network, device: str) -> SaliencyModel:
    """The network itself.

    Raises:
        UsageError, WeightsError: see `load_model`.
    """
    model = get_model(load_model(network.model, network.weights, network.fusion, device=device))
    return model if network.size is None else model.at(network.size)


def measured(bench: Bench, model: SaliencyModel, entries: Sequence[Entry], tell: CellCallback) -> Iterator[Measured]:
    """Every entry of one network.

    Args:
        bench: what is measured.
        model: the network.
        entries: its defences.
        tell: is told about progress.
    """
    runs: dict[tuple[tuple[str, ...], float], DefenseResult] = {}
    for turn, (modality, eps) in enumerate(bench.board.places):
        key = read_of(model, modality), eps
        if key[0] and key not in runs:
            runs[key] = _run(bench, model, entries, *key, partial(_share, tell, turn, modality))
    for entry in entries:
        yield _measured(bench.board, model, entry, runs)


def read_of(model: SaliencyModel, modality: str) -> tuple[str, ...]:
    """The inputs of a modality that a network reads."""
    return tuple(name for name in INPUTS[modality] if name in model.inputs)


def _share(tell: CellCallback, turn: int, modality: str, share: float) -> None:
    """How far a cell is."""
    tell(turn + share, modality)


def _run(
    bench: Bench, model: SaliencyModel, entries: Sequence[Entry], names: tuple[str, ...], eps: float,
    tell: Callable[[float], None],
) -> DefenseResult:  # fmt: skip
    modality = names[0] if len(names) == 1 else "both"
    folder = f"{entries[0].network.slug}-{modality}-{eps * 255:g}"
    return defend(
        model, bench.data, defenses=[entry.chain for entry in entries], modality=modality, eps=eps, seed=bench.seed,
        batch=bench.batch, out=None if bench.out is None else bench.out / folder,
        callback=lambda done, images: tell(done / images), **bench.board.settings,
    )  # fmt: skip


def _measured(board: Board, model: SaliencyModel, entry: Entry, runs: dict[Any, DefenseResult]) -> Measured:
    rows = {key: [row for row in run.samples if row["row"] == entry.chain] for key, run in runs.items()}
    clean = np.array([row["clean_iou"] for row in next(iter(rows.values()))], np.float64)
    cells = []
    for modality, eps in board.places:
        key = read_of(model, modality), eps
        if not key[0]:
            cells.append(Cell.unread(modality, eps, clean))
            continue
        own = f"{entry.chain}: "
        said = [text.removeprefix(own) for text in runs[key].warnings if text.startswith(own)]
        cells.append(Cell.of(modality, eps, rows[key], said))
    seconds = [row["seconds"] for own in rows.values() for row in own]
    return Measured(entry, model_record(model), tuple(nested(cells)), median(seconds), tuple(_notes(model)))


def _notes(model: SaliencyModel) -> Iterator[str]:
    unread = [name for name in INPUTS["both"] if name not in model.inputs]
    for name in unread:
        yield f"reads no {name}: attacks on it change nothing, and both is the other input alone"
