"""Average precision of detectors as COCO defines it, computed by pycocotools."""

import contextlib
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rgbdsod.errors import UsageError
from rgbdsod.metrics.arrays import FloatArray
from rgbdsod.types import Detections, Objects

_IOU50, _IOU75, _ALL_AREAS, _MOST = 0, 5, 0, -1  # places in the arrays of COCOeval: IoU, area range, detections


@dataclass(frozen=True, eq=False)
class DetectionScores:
    """Average precision, of each class and of groups of classes, against annotations.

    A class of which the images show nothing has no precision (NaN, "-" in tables) and enters no mean.

    Attributes:
        classes: their names.
        per_class: AP over IoU 0.5 to 0.95 of each class, (C,).
        per_class_50: AP at IoU 0.5 of each class, (C,).
        per_class_75: AP at IoU 0.75 of each class, (C,).
        recall: highest share of objects found, mean over IoU, of each class, (C,).
        images: how many.
        objects: how many, without groups of things.
    """

    classes: tuple[str, ...]
    per_class: FloatArray
    per_class_50: FloatArray
    per_class_75: FloatArray
    recall: FloatArray
    images: int
    objects: int

    @property
    def ap(self) -> float:
        """Mean over the classes that are shown, IoU 0.5 to 0.95."""
        return _mean(self.per_class)

    @property
    def ap50(self) -> float:
        """Mean over the classes that are shown, IoU 0.5."""
        return _mean(self.per_class_50)

    @property
    def ap75(self) -> float:
        """Mean over the classes that are shown, IoU 0.75."""
        return _mean(self.per_class_75)

    def of(self, name: str) -> float:
        """AP50 of one class; NaN where the images show none.

        Raises:
            UsageError: no such class.
        """
        return float(self.per_class_50[self._place(name)])

    def others(self, name: str) -> float:
        """Mean AP50 of all other classes that are shown."""
        return _mean(np.delete(self.per_class_50, self._place(name)))

    def summary(self) -> dict[str, float]:
        """The headline numbers by name."""
        return {"AP": self.ap, "AP50": self.ap50, "AP75": self.ap75, "recall": _mean(self.recall)}

    def _place(self, name: str) -> int:
        if name not in self.classes:
            raise UsageError(f'no class "{name}"; classes are {", ".join(self.classes)}')
        return self.classes.index(name)


def average_precision(
    truth: Sequence[Objects], detections: Sequence[Detections], classes: Sequence[str]
) -> DetectionScores:
    """COCO's average precision of all classes.

    Args:
        truth: the objects of each image; those marked as crowd are neither found nor missed.
        detections: what was found in each image; the first 100 of each class count.
        classes: names of the classes, which the labels are positions of.

    Raises:
        UsageError: not the same number of images, or a label without a class.

    Source:
        Lin et al., Microsoft COCO, 1405.0312; the computation is that of pycocotools' COCOeval.
    """
    if len(truth) != len(detections):
        raise UsageError(f"{len(truth)} images of truth and {len(detections)} of detections; pass the same images")
    annotations = _annotations(truth, len(classes))
    results = _results(detections, len(classes))
    numbers = _evaluate(len(truth), annotations, results, classes) if annotations and len(results) else None
    shown = np.zeros(len(classes), bool)
    shown[[one["category_id"] - 1 for one in annotations if not one["iscrowd"]]] = True
    none = np.zeros(len(classes))
    ap, ap50, ap75, recall = (np.where(shown, column, np.nan) for column in numbers or (none, none, none, none))
    singles = sum(not one["iscrowd"] for one in annotations)
    return DetectionScores(tuple(classes), ap, ap50, ap75, recall, images=len(truth), objects=singles)


def _annotations(truth: Sequence[Objects], classes: int) -> list[dict[str, Any]]:
    """Objects as annotations; ids start at 1, since COCOeval takes an object with id 0 as never matched."""
    rows: list[dict[str, Any]] = []
    for image, objects in enumerate(truth, 1):
        _check_labels(_array(objects.labels), classes)
        for box, label, crowd in zip(*(_array(field) for field in objects), strict=True):
            x0, y0, x1, y1 = (float(value) for value in box)
            rows.append(
                {
                    "id": len(rows) + 1,
                    "image_id": image,
                    "category_id": int(label) + 1,
                    "bbox": [x0, y0, x1 - x0, y1 - y0],
                    "area": (x1 - x0) * (y1 - y0),
                    "iscrowd": int(crowd),
                }
            )
    return rows


def _results(detections: Sequence[Detections], classes: int) -> NDArray[np.float64]:
    """Detections as the rows that `loadRes` takes: image, x, y, w, h, score, class."""
    rows = [np.empty((0, 7))]
    for image, found in enumerate(detections, 1):
        boxes, scores, labels = (_array(field).astype(np.float64) for field in found)
        _check_labels(labels, classes)
        sides = boxes[:, 2:] - boxes[:, :2]
        rows.append(np.column_stack([np.full(len(boxes), image), boxes[:, :2], sides, scores, labels + 1]))
    return np.concatenate(rows)


def _evaluate(
    images: int, annotations: list[dict[str, Any]], results: NDArray[np.float64], classes: Sequence[str]
) -> list[FloatArray]:
    """AP, AP50, AP75 and recall of each class, -1 where there is no object; what is printed is caught."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        ground = COCO()
        ground.dataset = {
            "images": [{"id": image} for image in range(1, images + 1)],
            "annotations": annotations,
            "categories": [{"id": number, "name": name} for number, name in enumerate(classes, 1)],
            "info": {},
        }
        ground.createIndex()
        evaluation = COCOeval(ground, ground.loadRes(results), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval["precision"][..., _ALL_AREAS, _MOST]  # (IoU, recall, class)
    recall = evaluation.eval["recall"][..., _ALL_AREAS, _MOST]
    return [
        precision.mean((0, 1)),
        precision[_IOU50].mean(0),
        precision[_IOU75].mean(0),
        recall.mean(0),
    ]


def _check_labels(labels: NDArray[Any], classes: int) -> None:
    if len(labels) and not 0 <= labels.min() <= labels.max() < classes:
        raise UsageError(f"a label is {int(labels.max())}, but there are {classes} classes, from 0 on")


def _array(field: Any) -> NDArray[Any]:
    """A tensor or an array as an array."""
    return np.asarray(field.detach().cpu()) if hasattr(field, "detach") else np.asarray(field)


def _mean(values: FloatArray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else math.nan
