"""Questions in SQL about the tables of a run folder: sugar over DuckDB, which reads them without this package too."""

import csv
from dataclasses import dataclass
from io import StringIO
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rgbdsod.errors import DataError, UsageError
from rgbdsod.foreign.files import shown

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

TABLES = ("samples", "summary")
"""Names in a query; each is a file of the folder."""

_ASKS = ("SELECT", "EXPLAIN")


@dataclass(frozen=True)
class Answer:
    """What a query found.

    Args:
        columns: their names.
        rows: values in the order of the columns.
    """

    columns: list[str]
    rows: list[tuple[Any, ...]]

    def text(self) -> str:
        """A table for the screen."""
        shown = [self.columns, *([_show(value) for value in row] for row in self.rows)]
        widths = [max(len(row[at]) for row in shown) for at in range(len(self.columns))]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in shown
        )

    def csv(self) -> str:
        """The same with every digit."""
        text = StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows(self.rows)
        return text.getvalue()

    def records(self) -> list[dict[str, Any]]:
        """Rows by name of column, with values that JSON has."""
        return [dict(zip(self.columns, map(_plain, row), strict=True)) for row in self.rows]


def query(folder: str | Path, sql: str) -> Answer:
    """Ask one question of a run's tables; nothing but them can be read, and nothing can be written.

    Args:
        folder: of a run with samples.parquet, of a benchmark with summary.parquet too (or the same as .csv).
        sql: one SELECT of DuckDB's SQL, on `TABLES`.

    Raises:
        UsageError: duckdb is not installed, or the query cannot be answered. DataError: there are no tables.

    Example:
        >>> from rgbdsod.report.query import query
        >>> query("runs/bench/quick", "select network, avg(loss) from summary group by 1").text()  # doctest: +SKIP
    """
    try:
        import duckdb
    except ImportError as error:
        raise UsageError("--sql needs duckdb: pip install 'rgbdsod[sql]'") from error
    offline: dict[str, Any] = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
    with duckdb.connect(":memory:", config=offline) as connection:
        _load(connection, Path(folder))
        try:
            statements = connection.extract_statements(sql)
            if len(statements) != 1 or statements[0].type.name not in _ASKS:
                raise UsageError(
                    f"--sql {shown(sql)} is {'empty' if not statements else 'no single SELECT'}; ask one question"
                )
            found = connection.execute(statements[0])
            return Answer([str(column[0]) for column in found.description or ()], found.fetchall())
        except duckdb.Error as error:
            raise UsageError(f"--sql: {_first(error)}") from error


def _load(connection: "DuckDBPyConnection", folder: Path) -> None:
    """Copy the tables into memory, and shut the door to everything else."""
    import duckdb

    loaded = []
    for name in TABLES:
        parquet, text = folder / f"{name}.parquet", folder / f"{name}.csv"
        try:
            if parquet.is_file():
                connection.read_parquet(str(parquet)).create(name)
            elif text.is_file():
                connection.read_csv(str(text)).create(name)
            else:
                continue
        except duckdb.Error as error:
            raise DataError(f"{folder / name} cannot be read: {_first(error)}") from error
        loaded.append(name)
    if not loaded:
        raise DataError(f"{folder} has no table samples.parquet or summary.parquet; a finished run has them")
    for setting in (
        "enable_external_access = false",
        "python_enable_replacements = false",
        "lock_configuration = true",
    ):
        connection.execute(f"SET {setting}")


def _first(error: Exception) -> str:
    """The first paragraph of DuckDB's message, in one line."""
    return " ".join(str(error).split("\n\n")[0].split())


def _show(value: Any) -> str:
    return "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not isfinite(value):
        return str(value)
    return value if isinstance(value, str | int | float | None) else str(value)
