"""Certified saliency maps of a set of images, as `rgbdsod.run.execute` runs it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from rgbdsod.datasets import Dataset
from rgbdsod.defenses import certify, cover
from rgbdsod.defenses.patch.certificates.covers import Aim, Layout
from rgbdsod.models import SaliencyModel
from rgbdsod.run.modeling import data_record, device_of, inputs_of, model_record
from rgbdsod.run.patch_certify.choice import CertifyChoice, patch_of, recorded
from rgbdsod.run.pieces import Piece
from rgbdsod.run.store import Store
from rgbdsod.types import Inputs, Modality

Row = Mapping[str, Any]

_MEANS = ("certified", "iou_least", "mae_most", "iou_defended", "mae_defended", "iou_plain", "mae_plain")
_SAME = ("method", "layout", "modality", "size", "height", "width", "copies")


@dataclass(eq=False)
class MapsTask:
    """Certify the maps of every image, for each aim, layout, threat and size.

    Args:
        model: whose maps.
        data: the images.
        choice: checked.
        given: how model and data were named, for config.toml.
        warnings: what a user should know before trusting a number.
    """

    model: SaliencyModel
    data: Dataset
    choice: CertifyChoice
    given: Mapping[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    command: str = "patch certify"

    @property
    def title(self) -> str:
        """Model and data."""
        return "-".join(Path(part).name for part in (self.model.name, self.data.name))

    @property
    def modules(self) -> tuple[nn.Module, ...]:
        """What is held in evaluation mode."""
        return (self.model,)

    @property
    def turns(self) -> list[tuple[str, str, str, str]]:
        """Size, aim, layout and threat of each row of the table."""
        own = self.choice
        return list(product(own.sizes, own.aims, own.layouts, own.threats))

    def settings(self) -> dict[str, Any]:
        """All that the numbers depend on."""
        return {**self.given, **recorded(self.choice, "sizes", "aims", "layouts", "threats", "fill")}

    def record(self) -> dict[str, Any]:
        """Entries of run.json."""
        return {"model": model_record(self.model), "data": data_record(self.data), "seed": 0, "dtype": "float32"}

    def begin(self, store: Store) -> None:
        """Nothing is prepared."""

    def compute(self, part: list[int], store: Store, advance: Callable[[float], None]) -> Piece:
        """Certify images of one size."""
        samples = [self.data[place] for place in part]
        batch = inputs_of(samples, self.model.inputs, device_of(self.model))
        inputs = {name: batch[name] for name in self.model.inputs}
        with torch.no_grad():
            plain = self.model(**inputs) > 0
        ids = [sample.id for sample in samples]
        rows: list[dict[str, Any]] = []
        for turn, names in enumerate(self.turns):
            rows += self._rows(names, ids, inputs, batch["mask"], plain)
            advance(len(part) * (turn + 1) / len(self.turns))
        return Piece(ids, rows)

    def metrics(self, merged: Piece) -> dict[str, Any]:
        """Table 8: a row for each certificate, means over the images."""
        labels = dict.fromkeys(row["row"] for row in merged.rows)
        table = [_mean_row([row for row in merged.rows if row["row"] == label]) for label in labels]
        return {"kind": "maps", "certificates": table, "warnings": list(self.warnings)}

    def _rows(
        self, names: tuple[str, str, str, str], ids: Sequence[str], inputs: Inputs, truth: Tensor, plain: Tensor
    ) -> list[dict[str, Any]]:
        size, aim, layout, threat = names
        image = (truth.shape[-2], truth.shape[-1])
        masks = cover(image, patch_of(size, image), cast(Aim, aim), cast(Layout, layout))
        found = certify(self.model, inputs, masks, threat=cast(Modality, threat), fill=self.choice.fill or "inpaint")
        bounds, own, bare = found.bounds(truth), measures(found.map, truth), measures(plain, truth)
        height, width = found.patch
        head = {"row": " ".join(names), "method": aim, "layout": layout, "modality": threat, "size": size,
                "height": height, "width": width, "copies": found.copies}  # fmt: skip
        return [
            {
                "id": name, **head, "certified": float(found.share[at]), "iou_least": float(bounds.iou[at]),
                "mae_most": float(bounds.mae[at]), "iou_defended": own[0][at], "mae_defended": own[1][at],
                "iou_plain": bare[0][at], "mae_plain": bare[1][at],
            }
            for at, name in enumerate(ids)
        ]  # fmt: skip


def measures(found: Tensor, truth: Tensor) -> tuple[list[float], list[float]]:
    """IoU and MAE of each map at threshold 0.5, bool (B,1,H,W), beside masks in [0, 1] that are cut there too."""
    wanted = (truth >= 0.5).flatten(1)
    shown = found.flatten(1)
    iou = (shown & wanted).sum(1) / (shown | wanted).sum(1).clamp_min(1)
    return iou.tolist(), (shown != wanted).float().mean(1).tolist()


def _mean_row(rows: Sequence[Row]) -> dict[str, Any]:
    """One row of the table; of images of several sizes the range of patches is in the rows of images."""
    same = {name: rows[0][name] if len({row[name] for row in rows}) == 1 else None for name in _SAME}
    return {"row": rows[0]["row"], **same} | {name: sum(row[name] for row in rows) / len(rows) for name in _MEANS}
