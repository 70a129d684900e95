"""Which objectives an attack on a detector can have. Imports no torch: lists read this table."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from rgbdsod.attacks.rows import load
from rgbdsod.registry import Table

Goal = Literal["vanish", "change", "misclass", "appear", "flood"]

_MODULE = "rgbdsod.models.detectors.objectives"


@dataclass(frozen=True)
class DetectionObjective:
    """One objective.

    Args:
        name: what a user types.
        function: where it is, "module:name"; called as f(look, aims).
        summary: what it rewards.
        goal: when an image counts as fooled.
        wants: what it must be told besides the objects: "label", or nothing.
        needs_objects: whether images without objects are left out.
        needs_empty: whether it asks for the loss of an image without objects.
        of_training: whether it is a training loss, for which two-stage detectors sample anchors and proposals.
        source: where it is from; "" where it is common property.
    """

    name: str
    function: str
    summary: str
    goal: Goal
    wants: Literal["", "label"] = ""
    needs_objects: bool = True
    needs_empty: bool = False
    of_training: bool = False
    source: str = ""

    def load(self) -> Callable[..., Any]:
        """The objective's function; imports torch."""
        return load(f"{_MODULE}:{self.function}")


DETECTION_OBJECTIVES = Table(
    "detection objective",
    [
        DetectionObjective(
            "vanish", "vanish", "objects lose every candidate: minus the soft maximum of their logits", "vanish"
        ),
        DetectionObjective(
            "vanish-post", "vanish_post", "minus the 20 highest final scores of the objects' classes", "vanish"
        ),
        DetectionObjective(
            "vanish-empty",
            "vanish_empty",
            "minus the training loss of an empty image",
            "vanish",
            needs_empty=True,
            of_training=True,
        ),
        DetectionObjective("untargeted", "untargeted", "the training loss of the truth", "change", of_training=True),
        DetectionObjective("misclass", "misclass", "candidates on the objects turn to a class", "misclass", "label"),
        DetectionObjective("appear", "appear", "a class is seen at the patch", "appear", "label", needs_objects=False),
        DetectionObjective("flood", "flood", "many detections away from all objects", "flood", needs_objects=False),
    ],
)
