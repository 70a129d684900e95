"""The table of a run: one row per image, attack and eps."""

import csv
import io
from typing import Any

Row = dict[str, Any]


def table_file(rows: list[Row]) -> tuple[str, bytes]:
    """Name and content of the table's file: Parquet, or CSV where pyarrow is missing.

    Args:
        rows: all with the same keys.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        return "samples.csv", _csv(rows)
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), buffer)
    return "samples.parquet", buffer.getvalue()


def _csv(rows: list[Row]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()
