"""Detectors and images that detector tests share."""

import hashlib

import torch
from torch import Tensor

from rgbdsod.types import Detections, Objects


def objects(boxes: list[list[float]], labels: list[int], crowd: list[bool] | None = None) -> Objects:
    """Objects from plain lists."""
    groups = crowd or [False] * len(labels)
    return Objects(
        torch.tensor(boxes).float().view(-1, 4), torch.tensor(labels, dtype=torch.int64), torch.tensor(groups).bool()
    )


def detections(boxes: list[list[float]], labels: list[int], scores: list[float] | None = None) -> Detections:
    """Detections from plain lists; certain ones by default."""
    values = [1.0] * len(labels) if scores is None else scores
    return Detections(
        torch.tensor(boxes).float().view(-1, 4), torch.tensor(values), torch.tensor(labels, dtype=torch.int64)
    )


def images(count: int = 2, side: int = 64, seed: int = 0) -> Tensor:
    """Random images (B,3,side,side)."""
    return torch.rand((count, 3, side, side), generator=torch.Generator().manual_seed(seed))


TARGETS = [
    objects([[4, 4, 30, 30], [34, 10, 60, 44]], [0, 1]),
    objects([[10, 8, 50, 50]], [2]),
]
"""Of two images of side 64."""
EMPTY = objects([], [])


def state_of(network: torch.nn.Module) -> str:
    """A hash of all weights and buffers, of every module's mode and of what takes gradients."""
    digest = hashlib.sha256()
    for name, value in network.state_dict().items():
        digest.update(name.encode() + value.detach().contiguous().numpy().tobytes())
    digest.update(str([(part.training, type(part).__name__) for part in network.modules()]).encode())
    digest.update(str([weight.requires_grad for weight in network.parameters()]).encode())
    return digest.hexdigest()


class Dots(torch.nn.Module):
    """A network with a known answer: a bright cell of 16 x 16 pixels is an object, of the class of its colour."""

    name = "dots"
    classes = ("red", "green", "blue")
    cell = 16

    def cells(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B,K,3) and boxes (B,K,4)."""
        light = torch.nn.functional.avg_pool2d(images, self.cell)
        rows, cols = light.shape[-2:]
        row, col = torch.meshgrid(torch.arange(rows), torch.arange(cols), indexing="ij")
        corner = torch.stack([col, row], -1).view(-1, 2).float() * self.cell
        boxes = torch.cat([corner, corner + self.cell], 1)
        return (light.flatten(2).transpose(1, 2) - 0.5) * 20, boxes.expand(len(images), -1, -1)


def dotted(*cells: tuple[int, int, int], side: int = 64) -> Tensor:
    """A black image (1,3,side,side) with cells (row, column, channel) alight."""
    image = torch.zeros(1, 3, side, side)
    for row, col, channel in cells:
        image[:, channel, row * 16 : row * 16 + 16, col * 16 : col * 16 + 16] = 1
    return image
