"""A run folder as it lies on disk, read and checked once."""

import csv
import hashlib
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rgbdsod.errors import DataError
from rgbdsod.foreign.documents import parse_json, read_json
from rgbdsod.foreign.files import is_within, read_text, reason
from rgbdsod.foreign.migrate import migrated
from rgbdsod.foreign.times import FILE as TIMES
from rgbdsod.foreign.times import with_times
from rgbdsod.report.ablation.document import AblationDocument

_LOG_ONLY: Mapping[str, Any] = {
    "command": "train",
    "status": "finished",
    "notes": ("This training was called from Python and left a log but no run.json, so its settings are not known.",),
}


@dataclass(frozen=True)
class Run:
    """What a run left.

    Args:
        path: its folder.
        record: run.json.
        config: text of config.toml; empty where there is none.
        metrics: metrics.json; empty for a training that is not finished.
        rows: the table, one row per image and eps.
        events: log.jsonl.
        ablation: ablation.json; of an ablation only.
    """

    path: Path
    record: Mapping[str, Any]
    config: str = ""
    metrics: Mapping[str, Any] = field(default_factory=dict)
    rows: tuple[Mapping[str, Any], ...] = ()
    events: tuple[Mapping[str, Any], ...] = ()
    ablation: AblationDocument | None = None

    @property
    def command(self) -> str:
        """The command that made it: "attack", "evaluate", "train" or "ablate"."""
        return str(self.record["command"])

    @property
    def finished(self) -> bool:
        """Whether its results are complete."""
        return self.record.get("status") == "finished"

    @property
    def repeat(self) -> str:
        """The command that repeats the run."""
        return f"rgbdsod {self.command} --config {shlex.quote(str(self.path / 'config.toml'))}"

    def pictures(self, sample_id: str) -> dict[str, Path]:
        """Stored pictures of an image by name: "rgb", "depth", "adv_depth", "mask", "clean_map", ..."""
        folder = self.path / "images" / sample_id
        if not is_within(self.path, folder):  # an id, or a link, that leads out of the run
            return {}
        return {path.stem: path for path in sorted(folder.glob("*.png")) if is_within(self.path, path)}


def read_run(folder: str | Path) -> Run:
    """Read a run folder.

    Args:
        folder: made by `rgbdsod attack`, `evaluate`, `train` or `ablate`.

    Raises:
        DataError: it is no run folder, is not finished, or a file in it cannot be read.
    """
    path = Path(folder)
    record = _read_record(path)
    finished = record.get("status") == "finished"
    if not finished and record["command"] != "train":
        raise DataError(f"{path} is not finished (status: {record.get('status')}); {_continue(path, record)}")
    if record["command"] == "ablate":
        return _read_ablation(path, record)
    measured = finished and record["command"] != "train"
    if measured:
        _check_sums(path, record)
    metrics = path / "metrics.json"
    return Run(
        path=path,
        record=record,
        config=_read_text(path / "config.toml"),
        metrics=migrated(_read_json(metrics), str(metrics)) if measured or metrics.is_file() else {},
        rows=tuple(_read_table(path)) if measured else (),
        events=tuple(_read_events(path / "log.jsonl")),
    )


def _read_ablation(path: Path, record: Mapping[str, Any]) -> Run:
    return Run(
        path=path,
        record=record,
        config=_read_text(path / "config.toml"),
        events=tuple(_read_events(path / "log.jsonl")),
        ablation=AblationDocument.of(_read_json(path / "ablation.json"), str(path / "ablation.json")),
    )


def _continue(path: Path, record: Mapping[str, Any]) -> str:
    command = (
        record.get("arguments") or f"rgbdsod {record['command']} --config {shlex.quote(str(path / 'config.toml'))}"
    )
    return f"continue it with: {command}"


def _read_record(path: Path) -> Mapping[str, Any]:
    if not path.exists():
        raise DataError(f"no folder {path}; give the folder of a run, for example one below runs/attack")
    if not (path / "run.json").is_file():
        if (path / "log.jsonl").is_file() and (path / "checkpoints").is_dir():
            return _LOG_ONLY
        inside = sorted(p.parent.name for p in path.glob("*/run.json")) if path.is_dir() else []
        hint = f"; did you mean {path / inside[0]}?" if inside else "; rgbdsod attack, evaluate and train make them"
        raise DataError(f"{path} is not a run folder (no run.json in it){hint}")
    record = migrated(_read_json(path / "run.json"), str(path / "run.json"), "run")
    if not isinstance(record.get("command"), str):
        raise DataError(f"{path / 'run.json'} names no command; {_again(path / 'run.json')}")
    return record


def _check_sums(path: Path, record: Mapping[str, Any]) -> None:
    """Results are what the run wrote; runs of old wrote no checksums."""
    sums = record.get("files")
    for name, wanted in (sums if isinstance(sums, dict) else {}).items():
        file = path / Path(name).name
        if file.is_file() and hashlib.sha256(file.read_bytes()).hexdigest() != wanted:
            raise DataError(f"{file} is damaged: its checksum is not the one in run.json; {_again(file)}")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        document = read_json(path)
    except FileNotFoundError:
        raise DataError(f"{path} is missing; {_again(path)}") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as JSON ({reason(error)}); {_again(path)}") from error
    if not isinstance(document, dict):
        raise DataError(f"{path} holds a {type(document).__name__}, expected an object; {_again(path)}")
    return document


def _again(path: Path) -> str:
    return f"copy {path.parent} again, or repeat the run with --restart"


def _read_text(path: Path) -> str:
    try:
        return read_text(path) if path.is_file() else ""
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read ({reason(error)}); {_again(path)}") from error


def _read_events(path: Path) -> list[dict[str, Any]]:
    """The log; a last line that a killed process left half-written is no event."""
    events = []
    for line in _read_text(path).splitlines():
        try:
            events.append(parse_json(line))
        except ValueError:
            continue
    return [event for event in events if isinstance(event, dict)]


def _read_table(path: Path) -> list[dict[str, Any]]:
    """The rows, with their times."""
    rows = _read_rows(path)
    try:
        return with_times(rows, (path / TIMES).read_bytes()) if (path / TIMES).is_file() else rows
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise DataError(f"{path / TIMES} cannot be read ({error}); {_again(path / TIMES)}") from error


def _read_rows(path: Path) -> list[dict[str, Any]]:
    if (path / "samples.parquet").is_file():
        return _read_parquet(path / "samples.parquet")
    if not (path / "samples.csv").is_file():
        raise DataError(f"{path / 'samples.parquet'} is missing (samples.csv too); {_again(path / 'samples.parquet')}")
    rows = csv.DictReader(_read_text(path / "samples.csv").splitlines())
    try:
        return [{str(name): _value(str(name), text) for name, text in row.items()} for row in rows]
    except csv.Error as error:
        raise DataError(f"{path / 'samples.csv'} cannot be read ({reason(error)}); {_again(path)}") from error


def _read_parquet(path: Path) -> list[dict[str, Any]]:
    try:
        import pyarrow.parquet as pq
    except ImportError as error:
        raise DataError(f"{path} needs pyarrow: pip install 'rgbdsod[parquet]'") from error
    try:
        rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    except Exception as error:  # most of pyarrow's own errors are ValueErrors, not all
        raise DataError(f"{path} cannot be read ({reason(error)}); {_again(path)}") from error
    return rows


def _value(name: str, text: str) -> Any:
    """A cell of a CSV file; ids stay text even where they look like numbers."""
    if name in ("id", "attack", "data") or not isinstance(text, str):
        return text
    if text in ("True", "False", ""):
        return {"True": True, "False": False, "": None}[text]
    try:
        return int(text) if text.lstrip("-").isdecimal() else float(text)
    except ValueError:
        return text
