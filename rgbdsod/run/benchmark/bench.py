"""`rgbdsod.run.bench`: networks x attacks x modalities x radii, over both worlds, in one table."""

import json
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from rgbdsod.errors import DataError
from rgbdsod.models import SaliencyModel, load_model
from rgbdsod.models.device import resolve_device
from rgbdsod.run.benchmark.line import Line
from rgbdsod.run.benchmark.result import SCHEMA, BenchResult
from rgbdsod.run.benchmark.saliency import saliency_lines
from rgbdsod.run.benchmark.suites import Case, fingerprint, read_suites
from rgbdsod.run.benchmark.zero_shot import zero_shot_lines
from rgbdsod.run.environment import describe_device, versions
from rgbdsod.run.execute import Target, recorded
from rgbdsod.run.folder import RunFolder, folder_path, to_json
from rgbdsod.run.samples import table_file

COMMAND = "bench"
DOCUMENT = "metrics.json"

BenchCallback = Callable[[float, int, str], None]
"""Called with (cases done, cases in all, the present one); a case in progress counts as a fraction."""

NOTES = (
    "built-in networks are small and trained for demonstration: not comparable with published numbers",
    "tasks, networks, losses and measures of the worlds differ: what is the same is the attack and its budget",
)


def bench(
    suite: str | Sequence[str] = "quick",
    *,
    images: int | None = None,
    seed: int = 0,
    device: str = "auto",
    batch: int | None = None,
    target: Target | None = None,
    callback: BenchCallback | None = None,
) -> BenchResult:
    """Run every case of one or more suites, and put the results into one table.

    Every case has a run folder of its own below `networks/` in the benchmark's, so that an interrupted one goes on.

    Args:
        suite: names of `SUITES` ("quick", "standard", "cross"), or .toml files; see `read_suites`.
        images: of each data set, instead of the suite's number.
        seed: of random starts.
        device: "auto", "cpu", "cuda", "cuda:N" or "mps".
        batch: images at once; None chooses.
        target: where the run is written; None writes nothing.
        callback: is told about progress.

    Returns:
        A result with `.rows`, `.document` and `.summary()`.

    Raises:
        UsageError: unknown suites, names and numbers that do not fit. DataError: images that cannot be read.

    Example:
        >>> from rgbdsod.run import bench
        >>> print(bench("cross", images=4).summary())  # doctest: +SKIP
    """
    cases = cases_of(suite, images)
    folder = None if target is None else _open(suite, images, seed, cases, target, device)
    if folder is not None and folder.finished:
        return BenchResult(_read(folder), folder.path, reused=True)
    tell = callback or (lambda done, total, text: None)
    with nullcontext() if folder is None else recorded(folder):
        lines = _measured(cases, seed, device, batch, None if folder is None else folder.path / "networks", tell)
        document = _document(suite, images, seed, lines)
        if folder is not None:
            folder.write(*table_file([_flat(row) for row in document["rows"]]))
            folder.write(DOCUMENT, to_json(document))
    return BenchResult(document, None if folder is None else folder.path)


def cases_of(suite: str | Sequence[str], images: int | None = None) -> list[Case]:
    """The cases of suites, with another number of images if one is given.

    Raises:
        UsageError: see `read_suites`.
    """
    cases = read_suites(suite)
    return cases if images is None else [replace(case, images=images) for case in cases]


def bench_path(suite: str | Sequence[str], images: int | None, seed: int, target: Target) -> Path:
    """Where the run of a benchmark lies."""
    cases = cases_of(suite, images)
    return folder_path(
        COMMAND, _settings(suite, images, seed), _record(suite, cases, seed), title=_title(suite), out=target.out,
        name=target.name,
    )  # fmt: skip


def _open(
    suite: str | Sequence[str], images: int | None, seed: int, cases: list[Case], target: Target, device: str
) -> RunFolder:
    return RunFolder.open(
        COMMAND, _settings(suite, images, seed), title=_title(suite), out=target.out, name=target.name,
        restart=target.restart, arguments=target.arguments,
        record=_record(suite, cases, seed)
        | {"versions": versions(), "device": describe_device(resolve_device(device)), "dtype": "float32"},
    )  # fmt: skip


def _settings(suite: str | Sequence[str], images: int | None, seed: int) -> dict[str, Any]:
    own: dict[str, Any] = {"suite": _names(suite), "seed": seed}
    return own if images is None else own | {"images": images}


def _record(suite: str | Sequence[str], cases: list[Case], seed: int) -> dict[str, Any]:
    """The fingerprint is that of what is measured: a suite's file may change."""
    networks = ", ".join(dict.fromkeys(case.model for case in cases))
    data = {"name": ", ".join(dict.fromkeys(case.data for case in cases)), "fingerprint": fingerprint(cases)}
    return {"model": {"name": networks}, "data": data, "seed": seed, "suite": _names(suite)}


def _names(suite: str | Sequence[str]) -> str:
    return suite if isinstance(suite, str) else ",".join(suite)


def _title(suite: str | Sequence[str]) -> str:
    return "-".join(Path(name).stem for name in _names(suite).split(","))


def _measured(
    cases: Sequence[Case], seed: int, device: str, batch: int | None, out: Path | None, tell: BenchCallback
) -> list[Line]:
    lines: list[Line] = []
    loaded: SaliencyModel | None = None
    for place, case in enumerate(cases):
        tell(place, len(cases), f"{case.model} {case.attack} {case.modality}")

        def advance(done: float, images: int, place: int = place, case: Case = case) -> None:
            tell(place + done / images, len(cases), f"{case.model} {case.attack} {case.modality}")

        common: dict[str, Any] = {
            "seed": seed, "device": device, "batch": batch, "out": None if out is None else out / case.key,
            "callback": advance,
        }  # fmt: skip
        if case.world == "zero-shot":
            lines += zero_shot_lines(case, **common)
            continue
        if loaded is None or place == 0 or cases[place - 1].model != case.model:
            loaded = load_model(case.model, device=device)
        lines += saliency_lines(case, model=loaded, **common)
    tell(len(cases), len(cases), "")
    return lines


def _document(suite: str | Sequence[str], images: int | None, seed: int, lines: Sequence[Line]) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "command": COMMAND,
        "settings": _settings(suite, images, seed),
        "rows": [line.row() for line in lines],
        "notes": list(NOTES),
    }


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """A row of the table's file: no nested values."""
    flat = {name: value for name, value in row.items() if name not in ("parameters", "loss", "share")}
    for name in ("loss", "share"):
        flat |= {name: row[name]["value"], f"{name}_low": row[name]["low"], f"{name}_high": row[name]["high"]}
    return flat


def _read(folder: RunFolder) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(folder.read(DOCUMENT))
    except (OSError, ValueError) as error:
        raise DataError(f"{folder.path} is finished but cannot be read ({error}); use --restart") from error
    return document
