"""The run folder: named after its settings, written piece by piece, found again by the same command."""

import hashlib
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import tomli_w

from rgbdsod.errors import DataError, UsageError
from rgbdsod.foreign.documents import parse_json
from rgbdsod.foreign.files import reason
from rgbdsod.foreign.migrate import migrated
from rgbdsod.run.identity import depends_on, refuse_changes
from rgbdsod.run.lock import LOCKS, FolderLock
from rgbdsod.run.share import Share
from rgbdsod.run.store import DiskStore, sha256, writing

SCHEMA = "rgbdsod.run/1"

_OWN = ("samples", "config.toml", "metrics.json", "samples.parquet", "samples.csv", "counts.npz", "log.jsonl",
        "report.html", "traceback.txt", "images", "adversarial", "checkpoints", "tensorboard",
        "ablation.json", "networks", "transfer", "patches", "controls", "detections", "patches.json", "patch.png",
        "patch.safetensors", "patch.json", "entries", "times.json", "ids.json", "summary.parquet",
        "summary.csv")  # fmt: skip

_CHECKED = ("metrics.json", "samples.parquet", "samples.csv", "counts.npz", "times.json", "ablation.json",
            "summary.parquet", "summary.csv",
            "adversarial/manifest.json")  # fmt: skip
"""Results, whose checksums run.json holds."""


class RunFolder(DiskStore):
    """A folder of one run.

    Args:
        path: the folder.
        record: content of run.json.
    """

    def __init__(self, path: Path, record: dict[str, Any]) -> None:
        super().__init__(path)
        self.record = record
        self._held = FolderLock(path)
        self._sums: dict[str, str] = {}

    @classmethod
    def open(
        cls,
        command: str,
        settings: Mapping[str, Any],
        *,
        title: str,
        out: str | Path | None = None,
        name: str | None = None,
        restart: bool = False,
        arguments: str | None = None,
        record: Mapping[str, Any] | None = None,
        share: Share | None = None,
    ) -> "RunFolder":
        """Make the folder of these settings, or continue in the one that is there.

        Args:
            command: "attack", "evaluate", "train", "clip evaluate".
            settings: all that the numbers depend on, in TOML's types; not in it: output-only flags, batch, device.
            title: readable beginning of the folder's name.
            out: the folder itself, instead of `runs/<command>/<title>-<hash>`.
            name: the folder's name, instead of `<title>-<hash>`.
            restart: begin anew in a folder that is there.
            arguments: the command line, for the record.
            record: more entries for run.json; "model" and "data" are compared on resuming.
            share: the part that this process computes; all parts are cut from the same batches.

        A folder that is not finished is held by a lock from now on, until `close`.

        Raises:
            UsageError: when the folder was made with other settings, or holds something else.
            DataError: when another process computes in it.
        """
        settings = json.loads(json.dumps(settings))  # as it will be read back: tuples become lists
        path = folder_path(command, settings, record or {}, title=title, out=out, name=name)
        fresh: dict[str, Any] = {"schema": SCHEMA, "status": "running", "command": command, "arguments": arguments}
        fresh |= {"settings": settings, **(record or {}), "start": now(), "end": None}
        folder = cls(path, {})
        folder._held = FolderLock(path, share, arguments)
        before = folder.previous()
        if before is None and not (path / LOCKS).is_dir():  # else another process may be about to write the record
            folder.refuse_strangers()
        elif before is not None and not restart:
            refuse_changes(before, fresh)
            if before.get("status") == "finished":
                folder.record = before
                return folder
        with folder._held.opening(alone=restart) as alone:
            folder._enter(fresh, restart=restart, share=share)
            if alone:
                folder.sweep()
        if folder.finished:
            folder.close()
        return folder

    @property
    def finished(self) -> bool:
        """Whether the run's results are complete."""
        return bool(self.record.get("status") == "finished")

    def previous(self) -> dict[str, Any] | None:
        """The record that an earlier call left here."""
        try:
            record = parse_json(super().read("run.json"))
            if not isinstance(record, dict):
                raise ValueError("not an object")
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError) as error:
            raise UsageError(f"{self.path / 'run.json'} cannot be read ({reason(error)}); use another --out") from error
        return migrated(record, str(self.path / "run.json"), "run")

    def document(self, name: str) -> dict[str, Any]:
        """A JSON document of the folder, in its present version.

        Raises:
            DataError: it is damaged, or of a newer version.
        """
        try:
            return migrated(parse_json(self.read(name)), str(self.path / name))
        except (OSError, ValueError, AttributeError) as error:
            why = f"{self.path / name} cannot be read ({reason(error)})"
            raise DataError(f"{why}; repeat the run with --restart") from error

    def _enter(self, fresh: dict[str, Any], *, restart: bool, share: Share | None) -> None:
        """Write the record and the settings; what was finished in the meantime stays finished."""
        before = self.previous()  # read again: only now nobody else can change it
        if before is None:
            self.refuse_strangers()
        elif restart:
            self.clear()
        else:
            refuse_changes(before, fresh)
            if before.get("status") == "finished":
                self.record = before
                return
            kept = ("start", "seconds", *(("batch",) if share is not None else ()))
            fresh |= {key: before[key] for key in kept if key in before}
        self._write_head(fresh)

    def _write_head(self, record: dict[str, Any]) -> None:
        self.record = record
        self.write_record()
        head = f"# rgbdsod {record['command']} --config config.toml   repeats this run\n"
        self.write("config.toml", (head + tomli_w.dumps(record["settings"])).encode())

    def begin(self, record: dict[str, Any]) -> None:
        """Go on in a folder that was finished, because its work has grown.

        Args:
            record: the new content of run.json.

        Raises:
            DataError: another process computes in it.
        """
        with self._held.opening():
            self._write_head(record)

    @contextmanager
    def merging(self) -> Iterator[None]:
        """The time in which results are written; the record is read anew, since another share may have written it."""
        with self._held.merging():
            self.record |= self.previous() or {}
            yield

    @contextmanager
    def alone(self) -> Iterator[None]:
        """The time in which nobody else uses a folder that is finished.

        Raises:
            DataError: somebody does.
        """
        with self._held.opening(alone=True):
            yield
        self.close()

    def close(self) -> None:
        """Give the lock back."""
        self._held.release()

    def has(self, name: str) -> bool:
        """Whether a file of this name is there."""
        return self.locate(name).is_file()

    def lasting(self, name: str) -> bool:
        """Results, records and pieces."""
        return "/" not in name or name.startswith("samples/")

    def write(self, name: str, content: bytes) -> None:
        """Write a file whole; see `DiskStore.write`."""
        super().write(name, content)
        if name in _CHECKED:
            self._sums[name] = sha256(content)

    def read(self, name: str) -> bytes:
        """Content of a file.

        Raises:
            DataError: a result that is not what the run wrote.
        """
        content = super().read(name)
        wanted = (self.record.get("files") or {}).get(name)
        if wanted is not None and self.finished and wanted != sha256(content):
            raise DataError(
                f"{self.path / name} is damaged: its checksum is not the one in run.json; "
                "restore the file, or repeat the run with --restart"
            )
        return content

    def write_record(self) -> None:
        """Write run.json."""
        self.write("run.json", to_json(self.record))

    def log(self, event: str, **fields: Any) -> None:
        """Add one event to log.jsonl."""
        self.append("log.jsonl", json.dumps({"time": now(), "event": event, **fields}))

    def finish(self, status: str = "finished") -> None:
        """Write how the run ended, and the checksums of its results."""
        self.record |= {"status": status, "end": now()}
        if status == "finished":
            self.record["files"] = {**(self.record.get("files") or {}), **self._sums}
        self.write_record()

    def spend(self, seconds: float) -> None:
        """Add to the time that the run took, over all processes."""
        with self.merging():
            self.record["seconds"] = round(self.record.get("seconds", 0.0) + seconds, 3)
            self.write_record()

    def refuse_strangers(self) -> None:
        """A folder that is not empty and holds no run is somebody's data.

        Raises:
            UsageError: in that case, or when the path is a file.
        """
        if self.path.exists() and not self.path.is_dir():
            raise UsageError(f"{self.path} is a file; --out names a folder")
        found = [path.name for path in self.path.iterdir()] if self.path.is_dir() else []
        if any(name != LOCKS and not name.endswith(".tmp") for name in found):
            raise UsageError(f"{self.path} is not empty and holds no run of rgbdsod; use another --out")

    def clear(self) -> None:
        """Remove what a run writes, and nothing else; run.json stays until another replaces it.

        The pieces go first, so that none of them is taken for one of the new run if this is interrupted.
        """
        for name in _OWN:
            path = self.path / name
            with writing(path):
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)


def folder_path(
    command: str,
    settings: Mapping[str, Any],
    record: Mapping[str, Any],
    *,
    title: str,
    out: str | Path | None = None,
    name: str | None = None,
) -> Path:
    """Where the run of these settings lies."""
    if out is not None:
        return Path(out)
    identity = {"command": command, "settings": dict(settings), **depends_on(record)}
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:6]
    readable = re.sub(r"[^A-Za-z0-9._-]+", "-", title).strip("-.")
    return Path("runs") / command.replace(" ", "-") / (name or f"{readable}-{digest}")


def to_json(document: Any) -> bytes:
    """JSON as all files of a run have it."""
    return (json.dumps(document, indent=1, allow_nan=False, ensure_ascii=False) + "\n").encode()


def now() -> str:
    """The time, with its zone."""
    return datetime.now(UTC).isoformat(timespec="seconds")
