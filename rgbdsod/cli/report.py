"""`rgbdsod report`: a page and tables from run folders."""

from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Exit, Option

from rgbdsod.cli import options
from rgbdsod.cli.screen import Screen, say_error
from rgbdsod.errors import CheckError, DataError, UsageError


def command(
    folders: Annotated[list[str] | None, Argument(help="Run folders.")] = None,
    latest: Annotated[bool, Option("--latest", help="The run below runs/ that ended last.")] = False,
    format_: Annotated[str, Option("--format", help="html, csv, latex or md.")] = "html",
    compare: Annotated[bool, Option("--compare", help="Every other run against the first.")] = False,
    fail_under: Annotated[
        list[str] | None, Option(help="METRIC=X, for example sm=0.5: exit code 6 if it is missed.")
    ] = None,
    out: Annotated[str | None, Option(help="The file; default: report.html in the run's folder.")] = None,
    panels: Annotated[int, Option(help="Pictures of at most so many images.")] = 24,
    gain: Annotated[float, Option(help="Of the difference pictures.")] = 16.0,
    sql: Annotated[
        str | None, Option(help="SELECT ... FROM samples or summary of one run, printed (needs rgbdsod[sql]).")
    ] = None,
    json: options.Json = False,
) -> None:
    """Make a self-contained page, or tables, from run folders."""
    screen = Screen(as_json=json)
    paths = _folders(folders or [], latest)
    if sql is not None:
        _ask(screen, paths, sql, format_)
        return

    from rgbdsod.report import report as make_report
    from rgbdsod.report.check import check, read_bounds
    from rgbdsod.report.reading import read_run

    bounds, missed = read_bounds(fail_under), None
    kind: Any = format_  # checked by the call
    file = make_report(paths, format=kind, compare=compare, out=out, panels=panels, gain=gain)
    screen.result(str(file))
    try:
        check([read_run(path) for path in paths] if bounds else [], bounds)
    except CheckError as error:
        missed = str(error)
    if json:
        runs = [str(path) for path in paths]
        screen.document({"schema": "rgbdsod.report/1", "runs": runs, "file": str(file), "missed": missed})
    if missed:
        say_error(missed)
        raise Exit(CheckError.code)


def _ask(screen: Screen, paths: list[Path], sql: str, format_: str) -> None:
    """Print what a query finds; no file is written."""
    from rgbdsod.report.query import query

    if len(paths) != 1:
        raise UsageError(f"--sql asks one run; got {len(paths)} folders")
    if format_ not in ("html", "csv"):  # html: nothing was said
        raise UsageError(f"--sql prints a table, --format csv or --json; got --format {format_}")
    answer = query(paths[0], sql)
    if screen.as_json:
        rows = answer.records()
        screen.document({"schema": "rgbdsod.query/1", "run": str(paths[0]), "columns": answer.columns, "rows": rows})
    else:
        screen.result((answer.csv() if format_ == "csv" else answer.text()).rstrip("\n"))


def _folders(folders: list[str], latest: bool) -> list[Path]:
    if bool(folders) == latest:
        raise UsageError("name the folder of a run, or pass --latest")
    if folders:
        return [Path(folder) for folder in folders]
    ended = [(end, path) for path in Path("runs").glob("*/*/run.json") if (end := _end(path))]
    if not ended:
        raise DataError("there is no finished run below runs/; rgbdsod attack makes one")
    return [max(ended)[1].parent]


def _end(path: Path) -> str:
    """When a run ended; nothing where it has not, or its record cannot be read."""
    from rgbdsod.foreign.documents import read_json

    try:
        return str(read_json(path)["end"] or "")
    except (OSError, ValueError, TypeError, LookupError):
        return ""
