"""What `certify_maps` and `certify_detections` return."""

from collections.abc import Mapping
from typing import Any

from rgbdsod.run.patch_defense.guard_result import number
from rgbdsod.run.results import RunResult
from rgbdsod.run.tables import align

SCHEMA = "rgbdsod.patch-certify/1"

_MAPS = ["method", "layout", "patch", "pixels", "modality", "copies", "certified", "IoU at least", "MAE at most",
         "IoU clean", "price", "MAE clean", "price"]  # fmt: skip
_BOXES = ["method", "patch", "pixels", "copies", "objects", "certified", "apart", "recall clean", "price", "AP50 clean",
          "price"]  # fmt: skip


class CertifyResult(RunResult):
    """Certificates of a set of images: what no patch of a size can change. No attack was run."""

    @property
    def rows(self) -> list[dict[str, Any]]:
        """One for each certificate, with the size of patch that it holds for."""
        found: list[dict[str, Any]] = self.metrics["certificates"]
        return found

    @property
    def warnings(self) -> list[str]:
        """What a user should know before trusting a number."""
        return list(self.metrics["warnings"])

    def summary(self) -> str:
        """The table, and what its columns are."""
        maps = self.metrics["kind"] == "maps"
        table = [_MAPS, *map(_map_row, self.rows)] if maps else [_BOXES, *map(_box_row, self.rows)]
        lines = [
            f"certain for every patch of at most that size, anywhere, of any content; {self.metrics['images']} images"
        ]
        if maps:
            lines += [
                "certified: share of the pixels; IoU, MAE: means over the images at threshold 0.5, other pixels wrong",
                "detection: a pixel keeps its value, or the alarm is raised there; recovery: it keeps its value",
                "clean: of the undefended map; price: what the defended map loses without an attack",
            ]
        else:
            lines += [
                "certified: share of the objects of which a box of the class always covers half; apart: under patches "
                "that do not touch the object",
                f"clean: undefended, detections of score {self.metrics['score']:g} or more, IoU 0.5; price: what the "
                "defence loses without an attack",
            ]
        return "\n".join([*align(table), *lines])

    def document(self) -> dict[str, Any]:
        """What `rgbdsod patch certify --json` prints."""
        return {
            "schema": SCHEMA,
            **{name: self.metrics[name] for name in ("model", "data", "images", "kind")},
            "settings": self.record["settings"],
            "certificates": self.rows,
            "warnings": self.warnings,
            "samples": self.samples,
            "seconds": self.record.get("seconds"),
            "run": None if self.folder is None else str(self.folder),
        }


def _map_row(row: Mapping[str, Any]) -> list[str]:
    clean, defended = ((row[f"iou_{which}"], row[f"mae_{which}"]) for which in ("plain", "defended"))
    bounds = [number(row[name]) for name in ("certified", "iou_least", "mae_most")]
    prices = [number(clean[0]), number(clean[0] - defended[0]), number(clean[1]), number(defended[1] - clean[1])]
    return [
        row["method"],
        row["layout"],
        row["size"],
        _pixels(row),
        row["modality"],
        _count(row["copies"]),
        *bounds,
        *prices,
    ]


def _box_row(row: Mapping[str, Any]) -> list[str]:
    pairs = [(row[f"{name}_plain"], row[f"{name}_defended"]) for name in ("recall", "ap50")]
    prices = [text for clean, now in pairs for text in (number(clean), number(_less(clean, now)))]
    head = [row["method"], row["size"], _pixels(row), _count(row["copies"]), str(row["objects"])]
    return [*head, number(row["certified"]), number(row["certified_apart"]), *prices]


def _less(clean: float | None, now: float | None) -> float | None:
    return None if clean is None or now is None else clean - now


def _pixels(row: Mapping[str, Any]) -> str:
    return "varies" if row["height"] is None else f"{row['height']}x{row['width']}"


def _count(value: int | None) -> str:
    return "varies" if value is None else str(value)
