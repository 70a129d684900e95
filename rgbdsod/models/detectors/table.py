"""Which detectors are known by name. Imports no torch: lists read this table."""

from dataclasses import dataclass
from typing import Literal

from rgbdsod.registry import Table

Family = Literal["fcos", "retinanet", "ssd", "rcnn", "decoded"]


@dataclass(frozen=True)
class DetectorRow:
    """One detector.

    Args:
        name: what a user types; torchvision's are called as their builders.
        family: how it is asked; "decoded" are those with a decoder of their own.
        summary: one sentence.
        parameters: in millions.
        background: whether its class 0 is the background.
        sizable: whether the size it works at can be chosen.
        plain_eps: the released weights hold frozen BatchNorm, whose statistics are used without an epsilon.
        weights: file in the package's assets; "" where a user brings them.
        source: paper.
    """

    name: str
    family: Family
    summary: str
    parameters: float
    background: bool = True
    sizable: bool = True
    plain_eps: bool = False
    weights: str = ""
    source: str = ""

    @property
    def learns_from_empty(self) -> bool:
        """Whether an image without objects has a loss; SSD mines its negatives in proportion to the positives."""
        return self.family != "ssd"


_FASTER, _MASK, _RETINA, _SSD, _FCOS = "1506.01497", "1703.06870", "1708.02002", "1512.02325", "1904.01355"

DETECTORS = Table(
    "detector",
    [
        DetectorRow(
            "fcos.tiny",
            "fcos",
            "small FCOS for generated shapes, trained by examples/make_detector.py; no detector of photographs",
            0.4,
            background=False,
            sizable=False,
            weights="fcos_tiny.safetensors",
            source=_FCOS,
        ),
        DetectorRow("fcos_resnet50_fpn", "fcos", "FCOS", 32.3, source=_FCOS),
        DetectorRow("retinanet_resnet50_fpn", "retinanet", "RetinaNet", 34.1, plain_eps=True, source=_RETINA),
        DetectorRow("retinanet_resnet50_fpn_v2", "retinanet", "RetinaNet, newer recipe", 38.2, source=_RETINA),
        DetectorRow("ssd300_vgg16", "ssd", "SSD at 300 x 300", 35.6, sizable=False, source=_SSD),
        DetectorRow(
            "ssdlite320_mobilenet_v3_large", "ssd", "SSDlite at 320 x 320", 3.4, sizable=False, source="1801.04381"
        ),
        DetectorRow("fasterrcnn_resnet50_fpn", "rcnn", "Faster R-CNN", 41.8, plain_eps=True, source=_FASTER),
        DetectorRow("fasterrcnn_resnet50_fpn_v2", "rcnn", "Faster R-CNN, newer recipe", 43.7, source=_FASTER),
        DetectorRow("fasterrcnn_mobilenet_v3_large_fpn", "rcnn", "Faster R-CNN, MobileNet", 19.4, source=_FASTER),
        DetectorRow(
            "fasterrcnn_mobilenet_v3_large_320_fpn", "rcnn", "Faster R-CNN, MobileNet, 320 x 320", 19.4, source=_FASTER
        ),
        DetectorRow("maskrcnn_resnet50_fpn", "rcnn", "Mask R-CNN, its boxes", 44.5, plain_eps=True, source=_MASK),
        DetectorRow("maskrcnn_resnet50_fpn_v2", "rcnn", "Mask R-CNN, newer recipe, its boxes", 46.4, source=_MASK),
        DetectorRow(
            "keypointrcnn_resnet50_fpn",
            "rcnn",
            "Keypoint R-CNN, boxes of persons",
            59.2,
            plain_eps=True,
            source=_MASK,
        ),
        DetectorRow(
            "fastestdet", "decoded", "FastestDet at 352 x 352, COCO's 80 classes", 0.25, background=False, sizable=False
        ),
    ],
)
