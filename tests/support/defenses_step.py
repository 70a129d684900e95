"""A small network with a robust and a fragile cue, and steps of a training on it."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rgbdsod.models import SaliencyModel, wrap
from rgbdsod.run.training_step import Memory, Step

SIDE = 24


class Small(nn.Module):
    """Two convolutions over both inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.look = nn.Conv2d(4, 12, 5, padding=2)
        self.say = nn.Conv2d(12, 1, 3, padding=1)

    def forward(self, rgb: Tensor, depth: Tensor) -> dict[str, Tensor]:
        return {"final": self.say(F.relu(self.look(torch.cat([rgb, depth], 1) - 0.5)))}


def small(seed: int = 0) -> SaliencyModel:
    """The network, wrapped, in training mode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return wrap(Small(), name="small").train()


def batch(seed: int, count: int = 8) -> dict[str, Tensor]:
    """Squares: RGB shows them by much, in noise; depth by little, without noise."""
    generator = torch.Generator().manual_seed(seed)
    mask = torch.zeros(count, 1, SIDE, SIDE)
    for row, (top, left) in zip(mask, torch.randint(2, SIDE - 12, (count, 2), generator=generator), strict=True):
        row[:, top : top + 10, left : left + 10] = 1
    noise = torch.randn(count, 3, SIDE, SIDE, generator=generator)
    rgb = 0.5 + 0.15 * (2 * mask - 1) + 0.2 * noise
    return {"rgb": rgb.clamp(0, 1), "depth": 0.5 + 0.02 * (2 * mask - 1), "mask": mask}


def loss(outputs: dict[str, Tensor], mask: Tensor) -> Tensor:
    """Cross-entropy, (B,)."""
    return F.binary_cross_entropy_with_logits(outputs["final"], mask, reduction="none").mean((1, 2, 3))


def step(model: SaliencyModel, number: int = 0, memory: Memory | None = None, data: int | None = None) -> Step:
    """One step on a batch."""
    images = batch(number if data is None else data)
    ids = [str(place) for place in range(len(images["mask"]))]
    return Step(model, images, loss, seed=0, number=number, sample_ids=ids, memory=memory)
