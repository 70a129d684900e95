"""The run folder of a fine-tuning: its record; checkpoints, log and weights are written by the tuning itself."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from rgbdsod.datasets.zero_shot.labelled import ImageSet
from rgbdsod.defenses.zero_shot.presets import TuningPreset
from rgbdsod.run.clip.images import ImageSets
from rgbdsod.run.clip.opening import DualEncoder
from rgbdsod.run.training_folder import TrainingFolder


class TuningFolder(TrainingFolder):
    """Where a fine-tuning of these settings is written.

    Args:
        settings: all that the weights depend on, under the names of the command line's flags.
        plan: what will be done.
        start: the model before.
        data: the images, those that are held out among them.
        out: the folder itself; None: `runs/clip-train/...`, named after the settings.
        name: the folder's name there.
    """

    command: ClassVar[str] = "clip train"

    def __init__(
        self,
        settings: Mapping[str, Any],
        plan: TuningPreset,
        start: DualEncoder,
        data: ImageSet,
        out: str | Path | None,
        name: str | None,
    ) -> None:
        self.settings, self.out, self.name = settings, out, name
        self.record = {
            "model": start.record(),
            "data": ImageSets([data]).record(),
            "seed": settings.get("seed"),
            "method": plan.method,
            "preset": plan.name,
        }
        self.title = f"{plan.method}-{start.model.name}-{Path(data.name).name}"
