"""A cell's run folder: computed, continued, or read where it is finished."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rgbdsod import __version__
from rgbdsod.datasets import Dataset
from rgbdsod.foreign.documents import read_json
from rgbdsod.models.table import MODELS
from rgbdsod.run.benchmark.cell import Cell
from rgbdsod.run.benchmark.contender import SALIENCY, ZERO_SHOT
from rgbdsod.run.benchmark.measured import Measured
from rgbdsod.run.benchmark.networks import Opener
from rgbdsod.run.benchmark.remote import task_of
from rgbdsod.run.benchmark.saliency import saliency_measured
from rgbdsod.run.benchmark.zero_shot import BATCH, zero_shot_measured
from rgbdsod.run.cluster.driver import execute_on_cluster
from rgbdsod.run.cluster.session import Cluster
from rgbdsod.run.execute import ImageCallback, Outcome, Target, execute
from rgbdsod.run.folder import RunFolder
from rgbdsod.run.outcome import outcome_of
from rgbdsod.run.share import Share


@dataclass(kw_only=True)
class Workshop:
    """What all cells of a benchmark have in common.

    Args:
        out: the folder of the cells' folders; None writes nothing.
        opener: of networks and images.
        batch: images at once; None chooses.
        share: the part of every cell that this process computes; None: all.
        cluster: where Ray computes the pieces of every cell; None: here.
    """

    out: Path | None = None
    opener: Opener = field(default_factory=Opener)
    batch: int | None = None
    share: Share | None = None
    cluster: Cluster | None = None

    def measure(self, cell: Cell, place: int, callback: ImageCallback | None = None) -> Measured | None:
        """Compute what is missing of a cell.

        Args:
            cell: which.
            place: of the cell among all, so that the odd images of small cells go round among the shares.
            callback: called with (images done, images in all).

        Returns:
            What was found; None while other shares have not done their part.
        """
        key = cell.key
        known = self.finished(cell, key)
        if known is not None:
            return known
        task, device = self.opener.task(cell)
        own = self.share and Share((self.share.index + place) % self.share.count, self.share.count)
        usual = BATCH if cell.contender.world == ZERO_SHOT else None
        where, batch = None if self.out is None else Target(out=self.out / key), self.batch or usual
        if self.cluster is not None and where is not None:
            there = (cell, "cuda" if self.cluster.gpus else "cpu")
            outcome = execute_on_cluster(
                task, self.cluster, task_of, there, target=where, batch=batch, callback=callback
            )
        else:
            outcome = execute(task, target=where, device=device, batch=batch, callback=callback, share=own)
        return _measured(cell, key, outcome) if outcome.complete else None

    def is_finished(self, cell: Cell) -> bool:
        """Whether some process wrote the results of a cell."""
        record = None if self.out is None else read_record(self.out / cell.key)
        return record is not None and bool(record.get("status") == "finished")

    def finished(self, cell: Cell, key: str) -> Measured | None:
        """A cell that was measured before; without loading its network, where the folder proves that it is the same.

        Returns:
            None where it is not finished, or the proof is lacking; `execute` then says what differs.
        """
        record = None if self.out is None else read_record(self.out / key)
        if self.out is None or record is None or not self.is_finished(cell):
            return None
        data = self.opener.images(cell)
        now = data.fingerprint if isinstance(data, Dataset) else data.record()["fingerprint"]
        same = record["versions"].get("rgbdsod") == __version__ and record["data"].get("fingerprint") == now
        return (
            _measured(cell, key, outcome_of(RunFolder(self.out / key, record)))
            if same and _same_weights(cell, record)
            else None
        )


def read_record(folder: Path) -> dict[str, Any] | None:
    """run.json of a cell; None where there is none yet, or it cannot be read."""
    try:
        record = read_json(folder / "run.json")
    except (OSError, ValueError):
        return None
    known = isinstance(record, dict) and all(
        isinstance(record.get(name), dict) for name in ("versions", "data", "model")
    )
    return record if known else None


def _same_weights(cell: Cell, record: dict[str, Any]) -> bool:
    """Whether the weights are known to be those of the folder; a file's are, since its name holds their digest."""
    own = cell.contender
    if own.weights is not None:
        return True
    built_in = None if own.of_user or own.world != SALIENCY else MODELS[own.model].sha256
    return built_in is not None and bool(record["model"].get("sha256") == built_in)


def _measured(cell: Cell, key: str, outcome: Outcome) -> Measured:
    of = saliency_measured if cell.contender.world == SALIENCY else zero_shot_measured
    return of(cell, key, outcome)
