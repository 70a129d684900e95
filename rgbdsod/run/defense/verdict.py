"""How well a network behind a defence stands, image by image."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from torch import Tensor

from rgbdsod.defenses import Chain
from rgbdsod.models import SaliencyModel
from rgbdsod.run.defense.front import Front
from rgbdsod.run.patch_defense.regions import region_measures
from rgbdsod.types import Inputs


class Verdict(NamedTuple):
    """Of one image, each the mean over the defence's draws.

    Args:
        iou: of the map cut at one half, in [0, 1]; an image stands as well as this.
        mae: of the map.
        dropped: share of the draws in which an input was dropped.
    """

    iou: float
    mae: float
    dropped: float

    @property
    def rank(self) -> tuple[float, float]:
        """Lower is worse: by IoU, and where that is equal by MAE."""
        return self.iou, -self.mae


def judge(model: SaliencyModel, chain: Chain, ids: Sequence[str], inputs: Inputs, truth: Tensor, draws: int) -> list[
    Verdict
]:  # fmt: skip
    """What a defended network makes of a batch.

    Args:
        model: the network.
        chain: in front of it.
        ids: of the samples.
        inputs: the batch.
        truth: where objects are, bool (B,1,H,W).
        draws: of a random defence; another one is asked once.
    """
    front = Front(model, chain, ids, "verdict")
    objects = truth[:, 0].cpu().numpy()
    rounds = []
    for _ in range(draws if chain.random else 1):
        maps, found = front.maps(inputs)
        dropped = (found.mask.flatten(1).amin(1) >= 1).cpu().numpy() if chain.switch else np.zeros(len(maps))
        measured = region_measures(maps.cpu().numpy(), objects, np.zeros_like(objects))
        rounds.append([(one["iou_all"], one["mae_all"], was) for one, was in zip(measured, dropped, strict=True)])
    return [Verdict(*map(float, row)) for row in np.array(rounds, np.float64).mean(0)]
