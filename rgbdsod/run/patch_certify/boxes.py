"""Certified detections of a set of images, as `rgbdsod.run.execute` runs it."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from rgbdsod.defenses import half_masks, recalled, seek
from rgbdsod.defenses.patch.certificates.seeker import SCORE
from rgbdsod.metrics import average_precision, found
from rgbdsod.models import Detector
from rgbdsod.run.patch_certify.choice import CertifyChoice, patch_of, recorded
from rgbdsod.run.patch_defense.boxed import BoxedImages
from rgbdsod.run.patch_defense.detect_metrics import keep, read_detections, read_objects
from rgbdsod.run.pieces import Piece
from rgbdsod.run.store import Store
from rgbdsod.types import Detections, Objects

_PLAIN, _DEFENDED = ("plain", "clean"), ("defended", "clean")
_COUNTS = ("objects", "anywhere", "apart", "found_plain", "found_defended")


@dataclass(eq=False)
class BoxesTask:
    """Certify which objects of every image a detector finds behind ObjectSeeker, for each size of the patch.

    Args:
        detector: that is defended.
        data: the images.
        choice: checked.
        device: where it runs.
        given: how detector and data were named, for config.toml.
        warnings: what a user should know before trusting a number.
    """

    detector: Detector
    data: BoxedImages
    choice: CertifyChoice
    device: torch.device
    given: Mapping[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    command: str = "patch certify"
    _store: Store | None = None

    @property
    def name(self) -> str:
        """The detector's."""
        return str(getattr(self.detector, "name", type(self.detector).__name__))

    @property
    def title(self) -> str:
        """Detector and data."""
        return "-".join((self.name, Path(self.data.name).name))

    @property
    def modules(self) -> tuple[nn.Module, ...]:
        """What is held in evaluation mode."""
        return (self.detector,) if isinstance(self.detector, nn.Module) else getattr(self.detector, "modules", ())

    def settings(self) -> dict[str, Any]:
        """All that the numbers depend on."""
        return {**self.given, **recorded(self.choice, "sizes", "lines", "pruning", "fill")}

    def record(self) -> dict[str, Any]:
        """Entries of run.json."""
        weights = str(getattr(self.detector, "weights", ""))
        model = {"name": self.name, "weights": weights, "sha256": weights.partition("sha256:")[2] or None, "note": None}
        return {"model": model, "data": self.data.record(), "seed": 0, "dtype": "float32"}

    def begin(self, store: Store) -> None:
        """Remember where detections go."""
        self._store = store

    def compute(self, part: list[int], store: Store, advance: Callable[[float], None]) -> Piece:
        """Certify images of one size; every copy is one call for all of them."""
        images, objects = self.data.batch(part)
        size = (images.shape[-2], images.shape[-1])
        hidden, own = half_masks(size, self.choice.lines), self.choice
        sought = seek(
            self.detector.detect, images.to(self.device), hidden, pruning=own.pruning, fill=own.fill or "grey",
            modules=self.modules,
        )  # fmt: skip
        rows: list[dict[str, Any]] = []
        ids = [self.data.ids[place] for place in part]
        for name, truth, seen in zip(ids, objects, sought, strict=True):
            plain, defended = _on_cpu(seen.plain), _on_cpu(seen.output)
            counts = {"found_plain": _found(truth, plain), "found_defended": _found(truth, defended),
                      "objects": int((~truth.crowd).sum()), "copies": len(hidden)}  # fmt: skip
            for text in own.sizes:
                patch = patch_of(text, size)
                sure = recalled(truth, seen, hidden, patch, pruning=own.pruning)
                certain = {"anywhere": int(sure.anywhere.sum()), "apart": int(sure.apart.sum())}
                rows.append({"id": name, "row": text, "size": text, "height": patch[0], "width": patch[1],
                             **counts, **certain})  # fmt: skip
            kept = keep(truth, {_PLAIN: plain, _DEFENDED: defended})
            store.write(f"detections/{name}.json", json.dumps(kept).encode())
            advance(1)
        return Piece(ids, rows)

    def metrics(self, merged: Piece) -> dict[str, Any]:
        """Table 8: a row for each size of the patch."""
        precision = {name: self._precision(merged.ids, name) for name in ("plain", "defended")}
        table = []
        for size in self.choice.sizes:
            rows = [row for row in merged.rows if row["size"] == size]
            total = {name: sum(row[name] for row in rows) for name in _COUNTS}
            of = max(total["objects"], 1)
            same = {name: rows[0][name] if len({row[name] for row in rows}) == 1 else None
                    for name in ("height", "width", "copies")}  # fmt: skip
            table.append({
                "row": size, "method": "objectseeker", "modality": "image", "size": size, **same,
                "objects": total["objects"],
                "certified": total["anywhere"] / of, "certified_apart": total["apart"] / of,
                "recall_plain": total["found_plain"] / of, "recall_defended": total["found_defended"] / of,
                "ap50_plain": precision["plain"], "ap50_defended": precision["defended"],
            })  # fmt: skip
        return {"kind": "boxes", "certificates": table, "score": SCORE, "warnings": list(self.warnings)}

    def _precision(self, ids: Sequence[str], view: str) -> float | None:
        """AP50 of the detections of score 0.5 or more: a defence by copies has no use for the others."""
        if self._store is None:
            return None
        files = [json.loads(self._store.read(f"detections/{name}.json")) for name in ids]
        truth = [read_objects(file["objects"]) for file in files]
        seen = [read_detections(file["detections"][view]["clean"]) for file in files]
        value = average_precision(truth, seen, self.detector.classes).ap50
        return None if math.isnan(value) else value


def _found(truth: Objects, seen: Detections) -> int:
    single = Objects(*(field[~truth.crowd] for field in truth))
    return int(found(single, seen).sum())


def _on_cpu(seen: Detections) -> Detections:
    return Detections(*(field.cpu() for field in seen))
