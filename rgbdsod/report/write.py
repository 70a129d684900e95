"""`rgbdsod.report`: a page, or tables, from run folders."""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal, get_args

from rgbdsod.errors import DataError, UsageError
from rgbdsod.foreign.files import expecting
from rgbdsod.report.ablation.page import ablation_tables
from rgbdsod.report.ablation.tidy import ablations_to_csv
from rgbdsod.report.check import check, read_bounds
from rgbdsod.report.clip.page import is_zero_shot, zero_shot_csv, zero_shot_tables
from rgbdsod.report.compare import comparison_tables
from rgbdsod.report.gallery import Shown
from rgbdsod.report.html import render
from rgbdsod.report.kinds import KINDS, kind_of
from rgbdsod.report.pages import build_page
from rgbdsod.report.panels import GAIN
from rgbdsod.report.reading import Run, read_run
from rgbdsod.report.results import tables
from rgbdsod.report.tables import Table
from rgbdsod.report.text import to_latex, to_markdown
from rgbdsod.report.tidy import to_csv
from rgbdsod.report.training import training_table

Format = Literal["html", "csv", "latex", "md"]

_SUFFIXES: dict[Format, str] = {"html": "html", "csv": "csv", "latex": "tex", "md": "md"}


def report(
    folders: str | Path | Sequence[str | Path],
    *,
    format: Format = "html",  # noqa: A002  (the command line's name)
    compare: bool = False,
    fail_under: str | Sequence[str] | None = None,
    out: str | Path | None = None,
    panels: int | None = 24,
    gain: float = GAIN,
) -> Path:
    """Make a report of finished runs, from their folders alone.

    Args:
        folders: one run folder, or several, which are compared.
        format: "html": one self-contained page; "csv": a row per metric, protocol and radius with every digit; "latex"
            and "md": the page's tables.
        compare: add a table of every other run against the first, with intervals where the images are the same.
        fail_under: bounds such as "sm=0.8" (benchmark protocol) or "sm_raw=0.8", under attack where there is one.
        out: the file; None: `report.<suffix>` in the run's folder, of several `comparison.<suffix>` beside the first.
        panels: of at most so many images pictures are put into the page, the most damaged ones; None: of all.
        gain: factor on the difference pictures.

    Returns:
        The file. It is written before bounds are checked.

    Raises:
        UsageError: for arguments out of range. DataError: for a folder that holds no finished run, or cannot be read.
        CheckError: when a bound is missed.

    Example:
        >>> import rgbdsod as rs
        >>> rs.report("runs/attack/bbsnet-demo-pgd-depth-5c1e09")  # doctest: +SKIP
    """
    paths = [Path(folders)] if isinstance(folders, str | Path) else [Path(folder) for folder in folders]
    _check_arguments(paths, format, compare, panels, gain)
    bounds = read_bounds(fail_under)
    runs = [read_run(path) for path in paths]
    _check_kinds(runs, compared=compare, bounded=bool(bounds))
    target = _target(paths, format, out)
    with expecting(" and ".join(map(str, paths)), "copy the folder again, or repeat the run with --restart"):
        content = _content(runs, target, format, Shown(panels, gain), compare=compare)
        content.encode()  # half a character in a name cannot be written
    _write(target, content)
    with expecting(" and ".join(map(str, paths)), "copy the folder again, or repeat the run with --restart"):
        check(runs, bounds)
    return target


def _content(runs: Sequence[Run], target: Path, format: Format, shown: Shown, *, compare: bool) -> str:  # noqa: A002
    if format == "html":
        return render(build_page(runs, target.absolute(), shown, compare=compare))
    if format == "csv":
        return _to_csv(runs)
    return (to_latex if format == "latex" else to_markdown)(_tables(runs, compare=compare))


def _check_arguments(paths: Sequence[Path], format: str, compare: bool, panels: int | None, gain: float) -> None:  # noqa: A002
    if not paths:
        raise UsageError("report needs the folder of a run; for example the newest below runs/attack")
    if format not in get_args(Format):
        raise UsageError(f'no format "{format}"; there are {", ".join(get_args(Format))}')
    if compare and len(paths) < 2:
        raise UsageError("--compare needs two run folders or more; got 1")
    if panels is not None and panels < 0:
        raise UsageError(f"panels={panels}: expected a number of images from 0 on, or None for all")
    if not 0 < gain < float("inf"):
        raise UsageError(f"gain={gain:g}: expected a number above 0, for example 16")


def _check_kinds(runs: Sequence[Run], *, compared: bool, bounded: bool) -> None:
    """An ablation, and a run on a zero-shot classifier, stands alone or beside others of its kind."""
    kinds = {
        "an ablation": [run for run in runs if run.ablation is not None],
        "a run on a zero-shot classifier": [run for run in runs if is_zero_shot(run)],
        **{own.words: [run for run in runs if kind_of(run) is own] for own in KINDS.values()},
    }
    for kind, own in kinds.items():
        if not own:
            continue
        first = own[0].path
        if len(own) < len(runs):
            raise UsageError(f"{first} is {kind} and other folders are not; make a report of it alone")
        if compared:
            raise UsageError(f"{first} is {kind}, whose page compares what it measured; leave --compare out")
        if bounded:
            raise UsageError(f"{first} is {kind}, which no bound fits; leave --fail-under out")


def _target(paths: Sequence[Path], format: Format, out: str | Path | None) -> Path:  # noqa: A002
    suffix = _SUFFIXES[format]
    if out is None:
        return paths[0] / f"report.{suffix}" if len(paths) == 1 else paths[0].parent / f"comparison.{suffix}"
    if Path(out).is_dir():
        raise UsageError(f"--out {out} is a folder; name the file, for example {Path(out) / f'report.{suffix}'}")
    return Path(out)


def _to_csv(runs: Sequence[Run]) -> str:
    ablations = {run.path.name: run.ablation for run in runs if run.ablation is not None}
    if any(map(is_zero_shot, runs)):
        return zero_shot_csv(runs)
    if (kind := kind_of(runs[0])) is not None:
        return kind.csv(runs)
    return ablations_to_csv(ablations) if ablations else to_csv(runs)


def _tables(runs: Sequence[Run], *, compare: bool) -> list[Table]:
    """The tables of one run; of several runs their comparison."""
    ablations = [run.ablation for run in runs if run.ablation is not None]
    if ablations:
        return [table for document in ablations for table in ablation_tables(document)]
    if any(map(is_zero_shot, runs)):
        return [table for run in runs for table in zero_shot_tables(run)]
    if (kind := kind_of(runs[0])) is not None:
        return [table for run in runs for table in kind.tables(run)]
    measured = [run for run in runs if run.metrics]
    if len(runs) > 1 and measured:
        return list(comparison_tables(measured, against=compare))
    trained = [table for run in runs if not run.metrics and (table := training_table(run)) is not None]
    return [*(table for run in measured for table in tables(run)), *trained]


def _write(path: Path, content: str) -> None:
    """Write under a temporary name, then rename: a page that is there is whole."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(content, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):  # tidying up must not hide the error
            temporary.unlink()
        raise DataError(f"cannot write {path}: {(error.strerror or str(error)).lower()}; use another --out") from error
