"""Two flat, typed tables of a benchmark: every image of every cell, and every cell."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

from rgbdsod.run.benchmark.cell import Cell
from rgbdsod.run.benchmark.line import numbers
from rgbdsod.run.benchmark.measured import MEASURES, Failure, Measured
from rgbdsod.run.benchmark.saliency import COLUMNS

Columns = dict[str, list[Any]]

_TEXT, _WHOLE, _REAL, _FLAG = "string", "int64", "float64", "bool"
_PLACE = {"cell": _TEXT, "world": _TEXT, "network": _TEXT, "model": _TEXT, "fusion": _TEXT, "training": _TEXT,
          "weights": _TEXT, "data": _TEXT, "attack": _TEXT, "method": _TEXT, "parameters": _TEXT, "modality": _TEXT,
          "norm": _TEXT, "eps": _REAL, "seed": _WHOLE, "measure": _TEXT}  # fmt: skip
_MORE = {f"{view}_{name}": _REAL for name in COLUMNS for view in ("clean", "attacked")}

SAMPLES: Mapping[str, str] = (
    _PLACE | {"image": _TEXT, "clean": _REAL, "attacked": _REAL}
    | {"failed_before": _FLAG, "failed_after": _FLAG, "success": _FLAG} | _MORE
)  # fmt: skip
"""Columns of samples.parquet and their types; `success`: right before, wrong after."""

SUMMARY: Mapping[str, str] = (
    _PLACE | {"images": _WHOLE, "clean": _REAL, "attacked": _REAL, "loss": _REAL, "loss_low": _REAL, "loss_high": _REAL}
    | {"held": _WHOLE, "fooled": _WHOLE, "share": _REAL, "share_low": _REAL, "share_high": _REAL} | _MORE
    | {"status": _TEXT, "error": _TEXT}
)  # fmt: skip
"""Columns of summary.parquet and their types; those of `_MORE` are means over the images."""


def samples_file(found: Sequence[Measured]) -> tuple[str, bytes]:
    """Name and content of the table of all images of all cells."""
    parts = []
    for own in found:
        count = len(own.ids)
        part: Columns = {name: [value] * count for name, value in _place(own.cell, own.key).items()}
        part |= {"image": list(own.ids), "clean": own.clean.tolist(), "attacked": own.attacked.tolist()}
        part |= {"failed_before": own.failed.tolist(), "failed_after": own.fails.tolist()}
        part |= {"success": own.fooled.tolist()}
        part |= {name: own.more[name].tolist() if name in own.more else [None] * count for name in _MORE}
        parts.append(part)
    return _file("samples", SAMPLES, parts)


def summary_file(found: Sequence[Measured], failures: Sequence[Failure]) -> tuple[str, bytes]:
    """Name and content of the table of all cells; those that failed have no numbers and say why."""
    rows = [_row(own) for own in found]
    rows += [_place(own.cell, None) | {"status": "failed", "error": own.error} for own in failures]
    return _file("summary", SUMMARY, [{name: [row.get(name) for row in rows] for name in SUMMARY}])


def _row(own: Measured) -> dict[str, Any]:
    flat: dict[str, Any] = _place(own.cell, own.key) | {"status": "finished"}
    for name, value in numbers([own]).items():
        flat |= {name: value["value"], f"{name}_low": value["low"], f"{name}_high": value["high"]} if isinstance(
            value, dict
        ) else {name: value}  # fmt: skip
    return flat | {name: float(values.mean()) for name, values in own.more.items()}


def _place(cell: Cell, key: str | None) -> dict[str, Any]:
    own, attack = cell.contender, cell.assault
    return {
        "cell": key, "world": own.world, "network": own.label, "model": own.name, "fusion": own.fusion,
        "training": own.training, "weights": own.weights and str(own.weights), "data": cell.data,
        "attack": attack.label, "method": attack.method,
        "parameters": json.dumps(dict(attack.parameters), sort_keys=True), "modality": cell.modality, "norm": "linf",
        "eps": cell.eps, "seed": cell.seed, "measure": MEASURES[own.world],
    }  # fmt: skip


def _file(name: str, types: Mapping[str, str], parts: Sequence[Columns]) -> tuple[str, bytes]:
    """Parquet with these column types, or CSV where pyarrow is missing."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        return f"{name}.csv", _csv(types, parts)
    schema = pa.schema([(column, getattr(pa, "bool_" if kind == _FLAG else kind)()) for column, kind in types.items()])
    tables = [pa.table({column: part[column] for column in types}, schema=schema) for part in parts]
    buffer = io.BytesIO()
    pq.write_table(pa.concat_tables(tables) if tables else schema.empty_table(), buffer)
    return f"{name}.parquet", buffer.getvalue()


def _csv(types: Mapping[str, str], parts: Sequence[Columns]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(types)
    for part in parts:
        writer.writerows(zip(*(part[column] for column in types), strict=True))
    return text.getvalue().encode()
