"""How well a network behind a defence stands, image by image."""

from collections.abc import Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, eq=False)
class Judge:
    """Says how the images of a batch stand.

    Args:
        model: the network.
        ids: of the samples.
        truth: where objects are, bool (B,1,H,W).
        draws: of a random defence in one verdict; another one is asked once.
    """

    model: SaliencyModel
    ids: Sequence[str]
    truth: Tensor
    draws: int

    def __call__(
        self, chain: Chain, inputs: Inputs, rows: Sequence[int] | None = None, *, purpose: str = "verdict"
    ) -> list[Verdict]:
        """What the network behind a defence makes of images.

        Args:
            chain: the defence.
            inputs: all images, (B,C,H,W) by input.
            rows: of those that are looked at; None: all.
            purpose: what a random defence's draws are for; other purposes, other draws.
        """
        chosen = list(range(len(self.ids))) if rows is None else list(rows)
        front = Front(self.model, chain, [self.ids[row] for row in chosen], purpose)
        own = {name: value[chosen] for name, value in inputs.items()}
        objects = self.truth[chosen][:, 0].cpu().numpy()
        rounds = []
        for _ in range(self.draws if chain.random else 1):
            maps, found = front.maps(own)
            dropped = (found.mask.flatten(1).amin(1) >= 1).cpu().numpy() if chain.switch else np.zeros(len(maps))
            measured = region_measures(maps.cpu().numpy(), objects, np.zeros_like(objects))
            rounds.append([(one["iou_all"], one["mae_all"], was) for one, was in zip(measured, dropped, strict=True)])
        return [Verdict(*map(float, row)) for row in np.array(rounds, np.float64).mean(0)]
