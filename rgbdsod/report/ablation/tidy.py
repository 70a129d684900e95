"""All values of ablations in one tidy CSV table: a row per value, every digit."""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from io import StringIO
from typing import Any

from rgbdsod.report.ablation.document import MEASURES, AblationDocument, Setting

_COLUMNS = (
    "run", "what", "model", "fusion", "training", "seed", "attack", "modality", "eps", "against", "source", "target",
    "measure", "value", "low", "high",
)  # fmt: skip


def ablations_to_csv(documents: Mapping[str, AblationDocument]) -> str:
    """One table with one head.

    Args:
        documents: by the run's name.

    Returns:
        Its column `what` is "network" (one network's value), "mean", a kind of derived number, or "transfer"; a cell
        that does not apply is empty.
    """
    text = StringIO()
    writer = csv.DictWriter(text, _COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for name, document in documents.items():
        writer.writerows({"run": name, **row} for row in _rows(document))
    return text.getvalue()


def _rows(document: AblationDocument) -> Iterator[dict[str, Any]]:
    for cell in document.cells:
        for measure in (*MEASURES, "fooled"):
            if (value := getattr(cell, measure)) is not None:
                yield {"what": "network", **_setting(cell), "seed": cell.seed, "measure": measure, "value": value}
    for mean in document.table:
        ends = {"low": mean.low, "high": mean.high}
        yield {"what": "mean", **_setting(mean), "measure": mean.measure, "value": mean.mean, **ends}
    for own in document.derived:
        head = {"what": own.kind, **_setting(own), "against": own.against, "measure": document.measure}
        yield {**head, "value": own.value, "low": own.low, "high": own.high}
    for moved in document.transfer:
        head = {key: value for key, value in asdict(moved).items() if key in _COLUMNS}
        yield {**head, "what": "transfer", "measure": "sm", "value": moved.sm}
        yield {**head, "what": "transfer", "measure": "sm_change", "value": moved.change}


def _setting(own: Setting) -> dict[str, Any]:
    return {key: getattr(own, key) for key in ("model", "fusion", "training", "attack", "modality", "eps")}
