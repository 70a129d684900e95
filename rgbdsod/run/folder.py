"""The run folder: named after its settings, written piece by piece, found again by the same command."""

import hashlib
import json
import re
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import tomli_w

from rgbdsod.errors import UsageError
from rgbdsod.run.share import Share
from rgbdsod.run.store import DiskStore, writing

SCHEMA = "rgbdsod.run/1"

_OWN = ("run.json", "config.toml", "metrics.json", "samples.parquet", "samples.csv", "counts.npz", "log.jsonl",
        "report.html", "traceback.txt", "samples", "images", "adversarial", "checkpoints", "tensorboard",
        "ablation.json", "networks", "transfer", "patches", "controls", "detections", "patches.json", "patch.png",
        "patch.safetensors", "patch.json", "entries")  # fmt: skip


class RunFolder(DiskStore):
    """A folder of one run.

    Args:
        path: the folder.
        record: content of run.json.
    """

    def __init__(self, path: Path, record: dict[str, Any]) -> None:
        super().__init__(path)
        self.record = record

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

        Raises:
            UsageError: when the folder was made with other settings, or holds something else.
        """
        settings = json.loads(json.dumps(settings))  # as it will be read back: tuples become lists
        path = folder_path(command, settings, record or {}, title=title, out=out, name=name)
        folder = cls(path, {})
        before = folder.previous()
        if before is None:
            folder.refuse_strangers()
        elif restart:
            folder.clear()
            before = None
        fresh: dict[str, Any] = {"schema": SCHEMA, "status": "running", "command": command, "arguments": arguments}
        fresh |= {"settings": settings, **(record or {}), "start": now(), "end": None}
        if before is not None:
            refuse_changes(before, fresh)
            kept = ("start", "end", "status", "seconds", *(("batch",) if share is not None else ()))
            fresh |= {key: before[key] for key in kept if key in before}
        folder.begin(fresh)
        return folder

    @property
    def finished(self) -> bool:
        """Whether the run's results are complete."""
        return bool(self.record.get("status") == "finished")

    def previous(self) -> dict[str, Any] | None:
        """The record that an earlier call left here."""
        try:
            record: dict[str, Any] = json.loads(self.read("run.json"))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError) as error:
            raise UsageError(f"{self.path / 'run.json'} cannot be read ({error}); use another --out") from error
        return record

    def begin(self, record: dict[str, Any]) -> None:
        """Write the record and the settings; what was finished stays finished."""
        self.record = record
        with writing(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
        self.sweep()
        if not self.finished:
            self.record["status"] = "running"
            self.write_record()
            head = f"# rgbdsod {record['command']} --config config.toml   repeats this run\n"
            self.write("config.toml", (head + tomli_w.dumps(record["settings"])).encode())

    def write_record(self) -> None:
        """Write run.json."""
        self.write("run.json", to_json(self.record))

    def log(self, event: str, **fields: Any) -> None:
        """Add one event to log.jsonl."""
        self.append("log.jsonl", json.dumps({"time": now(), "event": event, **fields}))

    def finish(self, status: str = "finished") -> None:
        """Write how the run ended."""
        self.record |= {"status": status, "end": now()}
        self.write_record()

    def refuse_strangers(self) -> None:
        """A folder that is not empty and holds no run is somebody's data.

        Raises:
            UsageError: in that case, or when the path is a file.
        """
        if self.path.exists() and not self.path.is_dir():
            raise UsageError(f"{self.path} is a file; --out names a folder")
        if self.path.is_dir() and any(self.path.iterdir()):
            raise UsageError(f"{self.path} is not empty and holds no run of rgbdsod; use another --out")

    def clear(self) -> None:
        """Remove what a run writes, and nothing else."""
        for name in _OWN:
            path = self.path / name
            if path.is_dir():
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
    identity = {"command": command, "settings": dict(settings), **_identity(record)}
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:6]
    readable = re.sub(r"[^A-Za-z0-9._-]+", "-", title).strip("-.")
    return Path("runs") / command.replace(" ", "-") / (name or f"{readable}-{digest}")


def refuse_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """Compare two records.

    Raises:
        UsageError: naming each setting that differs.
    """
    if before.get("command") != after["command"]:
        raise UsageError(
            f"this folder was made by {before.get('command')}, now {after['command']}; use --restart, or another --out"
        )
    old = {**before.get("settings", {}), **_identity(before)}
    new = {**after["settings"], **_identity(after)}
    changed = [
        f"{key}={_show(old.get(key))}, now {_show(new.get(key))}"
        for key in sorted({*old, *new})
        if old.get(key) != new.get(key)
    ]
    if changed:
        raise UsageError(f"this folder was made with {'; '.join(changed)}; use --restart, or another --out")


def to_json(document: Any) -> bytes:
    """JSON as all files of a run have it."""
    return (json.dumps(document, indent=1, allow_nan=False, ensure_ascii=False) + "\n").encode()


def now() -> str:
    """The time, with its zone."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _identity(record: Mapping[str, Any]) -> dict[str, Any]:
    """What the numbers depend on beside the settings."""
    weights, data = record.get("model") or {}, record.get("data") or {}
    return {"weights sha256": weights.get("sha256"), "data fingerprint": data.get("fingerprint")}


def _show(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, str) and re.fullmatch(r"[0-9a-f]{40,}", value):
        return value[:8]
    return json.dumps(value) if not isinstance(value, str) else value
