"""What a benchmark will cost, before it begins: cells, images, passes, what is done, and a guess at the time."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from rgbdsod.attacks.problem import frozen
from rgbdsod.errors import RgbdsodError
from rgbdsod.models.device import resolve_device
from rgbdsod.run.benchmark.cell import Assault, Cell
from rgbdsod.run.benchmark.measure import read_record
from rgbdsod.run.benchmark.networks import Opener
from rgbdsod.run.benchmark.passes import passes
from rgbdsod.run.execute import Task
from rgbdsod.run.pieces import cut, read_pieces
from rgbdsod.run.store import DiskStore, MemoryStore

BACKWARD = 2.0
"""What a backward pass costs, in forward passes."""

_SECONDS = 10.0  # of probing; networks that come later are taken to cost what the others do on average
_SHORT, _LONG = Assault.of("fgsm"), Assault.of("pgd-4")


@dataclass(frozen=True)
class Planned:
    """A cell before it is measured.

    Args:
        cell: which.
        key: its folder's name; None where its weights are not there.
        images: how many it has; None where they cannot be opened.
        done: how many of them are measured.
        forward, backward: passes of the attack on one image, at most; None: only a run tells.
        problem: why it cannot be measured; "" where nothing is known against it.
    """

    cell: Cell
    key: str | None
    images: int | None
    done: int
    forward: int | None
    backward: int | None
    problem: str = ""

    @property
    def left(self) -> int:
        """Images yet to be measured."""
        return 0 if self.problem else (self.images or 0) - self.done

    @property
    def work(self) -> float:
        """Of the attack on one image, in forward passes."""
        return (self.forward or 0) + BACKWARD * (self.backward or 0)


class _Rates(NamedTuple):
    """Seconds of a cell before its first image, of an image whatever the attack, and of a forward pass of an image."""

    start: float
    image: float
    forward: float


@dataclass(frozen=True)
class Guess:
    """How long the cells that are left will take.

    Args:
        seconds: in all.
        probed: networks and modalities that were timed.
        known: how many there are.
        batch: images at once in the probe.
    """

    seconds: float
    probed: int
    known: int
    batch: int

    @property
    def basis(self) -> str:
        """What the guess rests on."""
        part = f"{self.probed} of {self.known}, the others like their mean" if self.probed < self.known else self.known
        return (
            f"an estimate: two short attacks on one batch of {self.batch}, timed here now for each network and "
            f"modality ({part}); a backward pass is taken for {BACKWARD:g} forward"
        )


def planned(cells: Sequence[Cell], folder: Path, opener: Opener) -> list[Planned]:
    """All cells with what is known of them; nothing is computed or written.

    Args:
        cells: of the suite.
        folder: of the cells' run folders.
        opener: of images.
    """
    return [_planned(cell, folder, opener) for cell in cells]


def _planned(cell: Cell, folder: Path, opener: Opener) -> Planned:
    try:
        opener.check(cell)
        count = passes(cell) or (None, None)
        key, images = cell.key, len(opener.images(cell))
    except RgbdsodError as error:
        return Planned(cell, None, None, 0, None, None, str(error))
    record = read_record(folder / key)
    done = images if record is not None and record.get("status") == "finished" else _stored(folder / key)
    return Planned(cell, key, images, min(done, images), *count)


def _stored(folder: Path) -> int:
    """Images in the pieces of a cell; a piece that is damaged counts for nothing."""
    return sum(len(piece.ids) for piece in read_pieces(DiskStore(folder), remove=False).values())


def guess(plan: Sequence[Planned], opener: Opener, batch: int | None = None) -> Guess | None:
    """How long what is left takes, from two short attacks on one batch of each network and modality.

    Args:
        plan: see `planned`.
        opener: of networks.
        batch: images at once; None: 1 on a CPU, 8 on a GPU.

    Returns:
        None where nothing is left, or none of it can be probed.
    """
    kinds: dict[Any, list[Planned]] = {}
    for own in plan:
        if own.left:
            kinds.setdefault(_kind(own.cell), []).append(own)
    rates: dict[Any, _Rates] = {}
    size = batch or (8 if resolve_device(opener.device).type == "cuda" else 1)
    begin = time.perf_counter()
    for kind, members in kinds.items():
        if rates and time.perf_counter() - begin > _SECONDS:
            break
        rates[kind] = _rates(members[0].cell, opener, size)
    if not rates:
        return None
    usual = _Rates(*(sum(values) / len(rates) for values in zip(*rates.values(), strict=True)))
    seconds = 0.0
    for kind, members in kinds.items():
        rate = rates.get(kind, usual)
        seconds += sum(rate.start + own.left * (rate.image + rate.forward * own.work) for own in members)
    return Guess(seconds, len(rates), len(kinds), size)


def _kind(cell: Cell) -> Any:
    """What the cost of a pass depends on: weights and seed are not among it."""
    own = cell.contender
    return own.world, own.model, own.fusion, own.size, cell.data, cell.modality


def _rates(cell: Cell, opener: Opener, batch: int) -> _Rates:
    """What a cell of this kind costs: each of two short attacks on a batch to warm up, and on another that is timed."""
    starts, times, works = [], [], []
    for assault in (_SHORT, _LONG):
        own = replace(cell, assault=assault, eps=cell.eps or 1 / 255)
        task, _ = opener.task(own)
        parts = cut(task.data.sizes(), batch)
        first, second = parts[0], parts[min(1, len(parts) - 1)]
        with frozen(*task.modules):
            starts.append(_timed(partial(_begin, task, first)))
            times.append(_timed(partial(_compute, task, second)) / len(second))
        forward, backward = passes(own) or (1, 1)
        works.append(forward + BACKWARD * backward)
    unit = max(0.0, times[1] - times[0]) / (works[1] - works[0])
    return _Rates(max(0.0, min(starts) - max(times)), max(0.0, times[0] - unit * works[0]), unit)


def _begin(task: Task, part: list[int]) -> None:
    task.begin(MemoryStore())
    _compute(task, part)


def _compute(task: Task, part: list[int]) -> None:
    task.compute(part, MemoryStore(), lambda done: None)


def _timed(do: Callable[[], None]) -> float:
    begin = time.perf_counter()
    do()
    return time.perf_counter() - begin
