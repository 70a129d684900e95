"""Attack a detector of your own: four members, and patches, defences and measures work on it.

The detector here needs no training: it sees lights, blocks of red or green. From the command line any detector is
`rgbdsod patch evaluate --detector FILE.py:function`; this file's is `attack_your_detector.py:build`.
"""

from collections.abc import Sequence
from typing import Annotated

import numpy as np
import torch
import torch.nn.functional as F
import typer
from torch import Tensor
from torchvision.ops import box_iou, nms

from rgbdsod.datasets import BoxedImage, BoxedSet
from rgbdsod.models import Candidates
from rgbdsod.run import evaluate_patches
from rgbdsod.types import Detections, Objects

CLASSES = ("red", "green")
SIDE, BLOCK, STEP = 96, 16, 4
LEAST, OVERLAP = 0.3, 0.3


class Lights:
    """Each window of 16 x 16 pixels is a light as far as it is redder, or greener, than its rim."""

    name = "lights"
    classes = CLASSES

    def candidates(self, images: Tensor) -> list[Candidates]:
        """Logits (K,2) and boxes (K,1,4) of all windows of each image, with gradients to the images."""
        colour = images[:, :2] - images.mean(1, keepdim=True)
        inside = F.avg_pool2d(colour, BLOCK, STEP)
        around = F.avg_pool2d(colour, BLOCK + 2 * STEP, STEP, padding=STEP, count_include_pad=False)
        logits = (40 * (inside - around) - 2).flatten(2).transpose(1, 2)
        row, col = torch.meshgrid(*[torch.arange(n) * STEP for n in inside.shape[-2:]], indexing="ij")
        corner = torch.stack([col, row], -1).reshape(-1, 1, 2)
        boxes = torch.cat([corner, corner + BLOCK], -1).to(images)
        return [Candidates(own, boxes) for own in logits]

    def detect(self, images: Tensor) -> list[Detections]:
        """What remains of the windows after a threshold and NMS, the best first."""
        return [self._best(one) for one in self.candidates(images)]

    def losses(self, images: Tensor, targets: Sequence[Objects]) -> Tensor:
        """Of each image (B,): a window that overlaps a light by half should be its colour, every other nothing."""
        rows = []
        for one, objects in zip(self.candidates(images), targets, strict=True):
            wanted = torch.zeros_like(one.scores)
            for box, label in zip(objects.boxes, objects.labels.tolist(), strict=True):
                wanted[box_iou(one.boxes[:, 0], box[None].to(one.boxes))[:, 0] >= 0.5, label] = 1
            rows.append(F.binary_cross_entropy_with_logits(one.scores, wanted))
        return torch.stack(rows)

    def _best(self, one: Candidates) -> Detections:
        scores, labels = one.scores.sigmoid().max(1)
        keep = scores >= LEAST
        boxes, scores, labels = one.boxes[keep, 0], scores[keep], labels[keep]
        first = nms(boxes.detach(), scores.detach(), OVERLAP)
        return Detections(boxes[first], scores[first], labels[first])


class Night(BoxedSet):
    """Dark images with two lights each; a set of your own reads one image by its position."""

    def __init__(self, count: int) -> None:
        super().__init__(f"night:{count}", list(range(1, count + 1)), CLASSES)

    def read(self, position: int) -> BoxedImage:
        """The image at a position, drawn from a stream of its own."""
        random = np.random.default_rng(position)
        image = random.integers(0, 60, (SIDE, SIDE, 3), np.uint8)
        cells = SIDE // BLOCK - 2
        corners = BLOCK * (1 + np.stack(np.divmod(random.choice(cells * cells, 2, replace=False), cells), 1))
        labels = random.integers(0, 2, 2)
        for (x, y), label in zip(corners, labels, strict=True):
            image[y : y + BLOCK, x : x + BLOCK, label] = 220
        boxes = np.concatenate([corners, corners + BLOCK], 1).astype(np.float32)
        name = f"{position + 1:03}.png"
        return BoxedImage(position + 1, name, image, boxes, labels.astype(np.int64), np.zeros(2, bool))


def build() -> Lights:
    """What `--detector attack_your_detector.py:build` asks for."""
    return Lights()


def main(
    images: Annotated[int, typer.Option(help="dark images with lights")] = 8,
    steps: Annotated[int, typer.Option(help="of each patch")] = 20,
) -> None:
    """Lay patches beside the lights, let them vanish and let others appear, and print what the detector finds."""
    for goal in ("vanish", "flood"):
        result = evaluate_patches(
            build(), Night(images), goal=goal, defenses="median", steps=steps, size="6%", where="boundary", aware=False
        )
        print(f"{goal}\n{result.summary()}\n")


if __name__ == "__main__":
    typer.run(main)
