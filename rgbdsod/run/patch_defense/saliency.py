"""Saliency networks as victims of patches."""

from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from rgbdsod.attacks import MapProblem, Problem
from rgbdsod.attacks.patch.objectives import GOALS, View
from rgbdsod.datasets import Dataset, Sample
from rgbdsod.models import SaliencyModel
from rgbdsod.run.modeling import device_of, inputs_of
from rgbdsod.run.patch_defense.regions import region_measures
from rgbdsod.run.patch_defense.subject import Looked
from rgbdsod.types import Inputs

AIMS = ("hide", "degrade")
"""Goals of patches that the IoU beside the patch is a measure of."""

_GONE = 0.02


class PatchGoal(MapProblem):
    """A saliency network that is to do, away from a patch, what a goal of `GOALS` says.

    Args:
        model: the network.
        masks: ground truth (B,1,H,W).
        goal: of `AIMS`.
    """

    def __init__(self, model: SaliencyModel, masks: Tensor, goal: str) -> None:
        super().__init__(model, masks)
        self._wanted = GOALS[goal].function

    def loss(self, outputs: Tensor, progress: float = 0.0) -> Tensor:
        """The goal's objective, (B,)."""
        objects = self.objects
        rest = torch.ones_like(objects) if self._valid is None else self._valid.to(objects.device)
        return self._wanted(View(outputs, objects, ~rest, rest, torch.zeros_like(objects)))

    def track(self, outputs: Tensor) -> Tensor | None:
        """The loss ranks."""
        return None


class SaliencySubject:
    """Some images of one size before a saliency network.

    An image stands as well as the IoU of its map beside the patch.

    Args:
        model: the network.
        samples: the images.
        goal: of `AIMS`.
    """

    def __init__(self, model: SaliencyModel, samples: Sequence[Sample], goal: str) -> None:
        batch = inputs_of(samples, model.inputs, device_of(model))
        self._model, self._goal = model, goal
        self.ids = [sample.id for sample in samples]
        self.inputs: dict[str, Tensor] = {name: batch[name] for name in model.inputs}
        self._masks = batch["mask"]

    @cached_property
    def problem(self) -> Problem:
        """The maps do what the goal says."""
        return PatchGoal(self._model, self._masks, self._goal)

    @property
    def objects(self) -> Tensor:
        """Where the masks show objects."""
        return self._masks >= 0.5

    @property
    def floor(self) -> float:
        """An IoU at which hardly a pixel of the object is left."""
        return _GONE

    def look(self, inputs: Inputs, hidden: Tensor) -> list[Looked]:
        """IoU and MAE of the maps over each region."""
        maps = self._model.predict(size=None, **{name: inputs[name] for name in self._model.inputs}).cpu().numpy()
        truth = self.objects[:, 0].cpu().numpy()
        measured = region_measures(maps.astype(np.uint8), truth, hidden[:, 0].cpu().numpy())
        return [Looked(one, one["iou_rest"] if one["iou_rest"] is not None else 0.0) for one in measured]


def donor_of(data: Dataset) -> Callable[[str], Tensor]:
    """Gives for each image the next one of the set, of which natural crops are windows."""
    places = {name: at for at, name in enumerate(data.ids)}

    def donor(sample: str) -> Tensor:
        other: Sample = data[(places[sample] + 1) % len(data)]
        return torch.from_numpy(other.rgb).permute(2, 0, 1).float() / 255

    return donor
