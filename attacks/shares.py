"""A pass over more samples than a model takes at once."""

from typing import TYPE_CHECKING

import torch

from rgbdsod.attacks.evaluation import Evaluation, joined
from rgbdsod.types import Inputs

if TYPE_CHECKING:
    from rgbdsod.attacks.engine import Engine


def in_shares(engine: "Engine", points: Inputs, progress: float, most: int) -> Evaluation:
    """Values and gradients of all samples, each share's graph gone before the next one's is built.

    So an attack may hold the images of several batches: those that are fooled leave, the others move up, and the model
    keeps full batches until the last few.

    Args:
        engine: of all samples.
        points: where, (B, ...).
        progress: how much of the attack is done, 0 to 1.
        most: samples of a share.
    """
    device = next(iter(points.values())).device
    shares = torch.split(torch.arange(len(engine), device=device), most)
    return joined(
        [engine.part(rows).gradient({name: value[rows] for name, value in points.items()}, progress) for rows in shares]
    )
