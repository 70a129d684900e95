"""What the Python calls return: values, rows per image, tables as text, and a run folder on request."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rgbdsod.errors import UsageError
from rgbdsod.run.documents import attack_document, evaluation_document
from rgbdsod.run.execute import Outcome
from rgbdsod.run.folder import RunFolder
from rgbdsod.run.reduce import worst_rows
from rgbdsod.run.store import MemoryStore
from rgbdsod.run.tables import attack_table, evaluation_table


@dataclass(frozen=True, eq=False)
class RunResult:
    """A finished run.

    Args:
        outcome: what `rgbdsod.run.execute` left.
    """

    outcome: Outcome

    @property
    def complete(self) -> bool:
        """Whether every image is there; a share of a run may end before the others."""
        return self.outcome.complete

    @property
    def samples(self) -> list[dict[str, Any]]:
        """One row per image (and eps): the columns of docs/run-folder.md."""
        return self.outcome.piece.rows

    @property
    def metrics(self) -> dict[str, Any]:
        """Values and curves of the data set: the content of metrics.json."""
        return self.outcome.metrics

    @property
    def record(self) -> dict[str, Any]:
        """The content of run.json."""
        return self.outcome.record

    @property
    def folder(self) -> Path | None:
        """The run folder, if one was written."""
        return self.outcome.folder

    def save(self, folder: str | Path) -> Path:
        """Write the run folder of a run that was kept in memory; returns it.

        Raises:
            UsageError: the run has a folder already, or this one holds something else.
        """
        store = self.outcome.store
        if not isinstance(store, MemoryStore):
            raise UsageError(f"this run lies in {self.folder} already")
        record = self.outcome.record
        target = RunFolder.open(
            record["command"], record["settings"], title="", out=folder, record={**record, "status": "running"}
        )
        store.copy_to(target)
        target.finish()
        target.close()
        return target.path


class EvalResult(RunResult):
    """Measures of clean maps."""

    @property
    def values(self) -> dict[str, float]:
        """Data-set values, benchmark protocol."""
        values: dict[str, float] = self.metrics["clean"]["benchmark"]["values"]
        return values

    def summary(self) -> str:
        """A table of both protocols."""
        return evaluation_table(self.metrics) if self.complete else unfinished(self.outcome)

    def document(self) -> dict[str, Any]:
        """What `rgbdsod evaluate --json` prints."""
        return evaluation_document(self.outcome)


class AttackResult(RunResult):
    """Measures before and after an attack."""

    @property
    def worst(self) -> list[dict[str, Any]]:
        """For each image the row of the eps that hurt it most."""
        return worst_rows(self.samples, self.outcome.piece.ids)

    def summary(self) -> str:
        """A table of clean, attacked and change."""
        return attack_table(self.metrics) if self.complete else unfinished(self.outcome)

    def document(self) -> dict[str, Any]:
        """What `rgbdsod attack --json` prints."""
        return attack_document(self.outcome)


def unfinished(outcome: Outcome) -> str:
    """What there is to say of a run whose other shares are not computed yet."""
    there = len(outcome.piece.ids)
    total = there + len(outcome.missing)
    return f"{there} of {total} images are computed; whoever computes the last one writes the results"
