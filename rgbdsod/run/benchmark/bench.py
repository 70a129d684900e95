"""`rgbdsod.run.bench`: a grid of networks x data x attacks x modalities x radii x seeds, in one table."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rgbdsod.errors import WeightsError
from rgbdsod.models.device import resolve_device
from rgbdsod.run.benchmark.cell import Cell
from rgbdsod.run.benchmark.contender import WORLDS
from rgbdsod.run.benchmark.line import lines
from rgbdsod.run.benchmark.measure import Workshop
from rgbdsod.run.benchmark.measured import Failure, Measured
from rgbdsod.run.benchmark.networks import Opener
from rgbdsod.run.benchmark.result import SCHEMA, BenchResult
from rgbdsod.run.benchmark.suites import cells_of
from rgbdsod.run.benchmark.tables import samples_file, summary_file
from rgbdsod.run.cluster.session import Cluster
from rgbdsod.run.environment import describe_device, versions
from rgbdsod.run.execute import Target, recorded
from rgbdsod.run.folder import RunFolder, folder_path, to_json
from rgbdsod.run.notes import LOGGER
from rgbdsod.run.share import Share

COMMAND = "bench"
CELLS = "networks"
"""The folder of the cells' run folders."""

BenchCallback = Callable[[float, int, str], None]
"""Called with (cells done, cells in all, the present one); a cell in progress counts as a fraction."""

_DOCUMENT = "metrics.json"
_MOST_NAMES = 8

BUILT_IN = "built-in networks are small and trained for demonstration: not comparable with published numbers"
CROSS = "tasks, networks, losses and measures of the worlds differ: what is the same is the attack and its budget"


def bench(
    suite: str | Sequence[str] = "quick",
    *,
    images: int | None = None,
    seed: int = 0,
    device: str = "auto",
    batch: int | None = None,
    keep_going: bool = False,
    share: Share | None = None,
    cluster: Cluster | None = None,
    target: Target | None = None,
    callback: BenchCallback | None = None,
) -> BenchResult:
    """Measure every cell of one or more suites, and put the results into one table.

    Every cell has a run folder of its own below `networks/` in the benchmark's, named by its content: an interrupted
    benchmark goes on, and one whose suite was extended computes what is new.

    Args:
        suite: names of `SUITES` ("quick", "standard", "cross"), or .toml files; see `read_file`.
        images: of each data set, instead of the suite's number.
        seed: where the suite names none.
        device: "auto", "cpu", "cuda", "cuda:N" or "mps".
        batch: images at once; None chooses.
        keep_going: a cell that cannot be measured is written down with its error, and the others go on.
        share: compute this part of every cell; the process that finishes the last cell writes the tables.
        cluster: where Ray computes the pieces of every cell; needs a target.
        target: where the run is written; None writes nothing.
        callback: is told about progress.

    Returns:
        A result with `.rows`, `.failures`, `.document` and `.summary()`.

    Raises:
        UsageError: unknown suites, names and numbers that do not fit. DataError, WeightsError: files that are missing
            or cannot be read; with `keep_going` only those of the benchmark itself.

    Example:
        >>> from rgbdsod.run import bench
        >>> print(bench("cross", images=4).summary())  # doctest: +SKIP
    """
    cells = cells_of(suite, images=images, seed=seed)
    work = _Work(cells, keep_going, callback or (lambda done, total, text: None))
    opener = Opener(device)
    if not keep_going:
        for cell in cells:
            opener.check(cell)  # all files are there before the first hour is spent
    if target is None:
        return BenchResult(_document(suite, images, seed, work.run(Workshop(opener=opener, batch=batch, share=share))))
    settings, record = _settings(suite, images, seed), _record(suite, cells, seed, device)
    folder = RunFolder.open(
        COMMAND, settings, title=_title(suite), out=target.out, name=target.name, restart=target.restart,
        arguments=target.arguments, share=share, record=record,
    )  # fmt: skip
    if folder.finished:
        known = folder.document(_DOCUMENT)
        if _complete(known, cells):
            return BenchResult(known, folder.path, reused=True)
        folder.begin({**folder.record, **record, "status": "running", "end": None})
    with recorded(folder, share):
        work.log = folder.log
        work.run(Workshop(out=folder.path / CELLS, opener=opener, batch=batch, share=share, cluster=cluster))
        document = _document(suite, images, seed, work)
        if not work.waiting:
            _write(folder, document, work)
    return BenchResult(document, folder.path, waiting=len(work.waiting))


def bench_path(suite: str | Sequence[str], images: int | None, seed: int, target: Target) -> Path:
    """Where the run of a benchmark lies: a suite that is extended keeps its folder."""
    return folder_path(
        COMMAND, _settings(suite, images, seed), {}, title=_title(suite), out=target.out, name=target.name,
    )  # fmt: skip


@dataclass
class _Work:
    """The cells, and what became of each.

    Args:
        cells: all of them.
        keep_going: whether a cell may fail.
        tell: is told about progress.
    """

    cells: Sequence[Cell]
    keep_going: bool
    tell: BenchCallback
    log: Callable[..., None] = lambda event, **fields: None
    found: dict[Cell, Measured] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    waiting: list[tuple[int, Cell]] = field(default_factory=list)

    def run(self, shop: Workshop) -> "_Work":
        """Measure all; those that wait for other shares are looked at once more when the own part is done."""
        for place, cell in enumerate(self.cells):
            self._one(shop, place, cell)
        waiting, self.waiting = self.waiting, []
        for place, cell in waiting:
            if shop.is_finished(cell):
                self._one(shop, place, cell)
            else:
                self.waiting.append((place, cell))
        self.tell(len(self.cells), len(self.cells), "")
        return self

    def _one(self, shop: Workshop, place: int, cell: Cell) -> None:
        def advance(done: float, images: int) -> None:
            self.tell(place + done / images, len(self.cells), cell.label)

        self.tell(place, len(self.cells), cell.label)
        try:
            measured = shop.measure(cell, place, advance)
        except Exception as error:
            if not self.keep_going:
                raise
            failure = Failure.of(cell, error)
            self.failures.append(failure)
            self.log("cell failed", cell=cell.label, error=failure.error)
            LOGGER.warning("%s: %s", cell.label, failure.error)
            return
        if measured is None:
            self.waiting.append((place, cell))
        else:
            self.found[cell] = measured


def _settings(suite: str | Sequence[str], images: int | None, seed: int) -> dict[str, Any]:
    own: dict[str, Any] = {"suite": _names(suite), "seed": seed}
    return own if images is None else own | {"images": images}


def _record(suite: str | Sequence[str], cells: Sequence[Cell], seed: int, device: str) -> dict[str, Any]:
    """What run.json says; nothing of it is compared on resuming but the settings, since a suite may grow."""
    networks, data = _some(cell.contender.label for cell in cells), _some(cell.data for cell in cells)
    return {
        "model": {"name": networks}, "data": {"name": data}, "seed": seed, "suite": _names(suite),
        "versions": versions(), "device": describe_device(resolve_device(device)), "dtype": "float32",
    }  # fmt: skip


def _some(names: Iterable[str]) -> str:
    found = list(dict.fromkeys(names))
    return ", ".join(found[:_MOST_NAMES]) + (f" and {len(found) - _MOST_NAMES} more" if found[_MOST_NAMES:] else "")


def _names(suite: str | Sequence[str]) -> str:
    return suite if isinstance(suite, str) else ",".join(suite)


def _title(suite: str | Sequence[str]) -> str:
    return "-".join(Path(name).stem for name in _names(suite).split(","))


def _document(suite: str | Sequence[str], images: int | None, seed: int, work: _Work) -> dict[str, Any]:
    contenders = {cell.contender for cell in work.cells}
    notes = [BUILT_IN] if any(own.weights is None and not own.of_user for own in contenders) else []
    notes += [CROSS] if {own.world for own in contenders} == set(WORLDS) else []
    return {
        "schema": SCHEMA,
        "command": COMMAND,
        "settings": _settings(suite, images, seed),
        "rows": lines(work.cells, work.found, work.failures),
        "cells": [own.key for own in work.found.values()],
        "failures": [{"cell": own.cell.label, "error": own.error, "code": own.code} for own in work.failures],
        "notes": notes,
    }


def _write(folder: RunFolder, document: dict[str, Any], work: _Work) -> None:
    """The tables; of shares that end together the first one writes them."""
    found = list(work.found.values())
    with folder.merging():
        if folder.finished:
            return
        folder.write(*samples_file(found))
        folder.write(*summary_file(found, work.failures))
        folder.write(_DOCUMENT, to_json(document))
        folder.finish()


def _complete(document: dict[str, Any], cells: Sequence[Cell]) -> bool:
    """Whether a finished benchmark holds these cells and no others, and none of them failed."""
    if document.get("failures") or "cells" not in document:
        return False
    try:
        return bool(document["cells"] == [cell.key for cell in cells])
    except WeightsError:
        return False
