"""FastestDet: a COCO detector of a quarter of a million weights.

Source:
    dog-qiuqiu/FastestDet (BSD 3-clause); the backbone is ShuffleNetV2 (Ma et al., 1807.11164). Module names are those
    of its released state dict.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rgbdsod.models.detectors.decoded import DecodedDetector

SIDE = 352
_CELLS = SIDE // 16
_CERTAIN = 1e-6  # scores are kept this far from 0 and 1, whose logits are infinite
_OBJECT_POWER, _CLASS_POWER = 0.6, 0.4


def fastestdet(classes: Sequence[str] | None = None) -> DecodedDetector:
    """An untrained FastestDet with its decoder.

    Args:
        classes: names; None: COCO's 80.
    """
    names = COCO if classes is None else tuple(classes)
    network = FastestDet(len(names))
    return DecodedDetector(
        network,
        names,
        network.decoded,
        overlap=0.45,
        most=_CELLS**2,
        single=True,
        clip=False,
        name="fastestdet",
        weights="random",
    )


class FastestDet(nn.Module):
    """The network: objectness, box and classes of 22 x 22 cells.

    Args:
        classes: how many.
    """

    def __init__(self, classes: int = 80) -> None:
        super().__init__()
        self.backbone = _Backbone()
        self.SPP = _Pyramid(336, 96)
        self.detect_head = _Head(96, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Cells (B,5+C,H/16,W/16) of images (B,3,H,W): objectness, four box numbers, class probabilities.

        Args:
            images: BGR order, in [0, 1].
        """
        fine, middle, coarse = self.backbone(images)
        finer = F.avg_pool2d(fine, 3, stride=2, padding=1)
        coarser = F.interpolate(coarse, scale_factor=2)
        cells: Tensor = self.detect_head(self.SPP(torch.cat([finer, middle, coarser], 1)))
        return cells

    def decoded(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B,K,C) and boxes (B,K,4) in pixels, of images (B,3,H,W) of any size, RGB in [0, 1]."""
        resized = F.interpolate(images.flip(1), (SIDE, SIDE), mode="bilinear", align_corners=False)
        cells = self(resized).flatten(2).transpose(1, 2)
        certain = (
            cells[..., :1].clamp_min(_CERTAIN) ** _OBJECT_POWER * cells[..., 5:].clamp_min(_CERTAIN) ** _CLASS_POWER
        )
        return certain.clamp(_CERTAIN, 1 - _CERTAIN).logit(), _boxes(cells[..., 1:5], images)


def _boxes(numbers: Tensor, images: Tensor) -> Tensor:
    """Boxes (B,K,4) in pixels of the images, from four numbers of each cell."""
    row, column = torch.meshgrid(*[torch.arange(_CELLS, device=numbers.device)] * 2, indexing="ij")
    cell = torch.stack([column, row], -1).reshape(-1, 2).to(numbers)
    centre, extent = (numbers[..., :2].tanh() + cell) / _CELLS, numbers[..., 2:].sigmoid()
    pixels = numbers.new_tensor([images.shape[-1], images.shape[-2]] * 2)
    return torch.cat([centre - extent / 2, centre + extent / 2], -1) * pixels


class _Backbone(nn.Module):
    """ShuffleNetV2 with 48, 96 and 192 channels at strides 8, 16 and 32."""

    def __init__(self) -> None:
        super().__init__()
        self.first_conv = nn.Sequential(nn.Conv2d(3, 24, 3, 2, 1, bias=False), nn.BatchNorm2d(24), nn.ReLU())
        self.stage2 = _stage(24, 48, 4)
        self.stage3 = _stage(48, 96, 8)
        self.stage4 = _stage(96, 192, 4)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = F.max_pool2d(self.first_conv(images), 3, stride=2, padding=1)
        fine = self.stage2(x)
        middle = self.stage3(fine)
        return fine, middle, self.stage4(middle)


def _stage(channels: int, wide: int, blocks: int) -> nn.Sequential:
    return nn.Sequential(_Halving(channels, wide), *[_Shuffling(wide) for _ in range(blocks - 1)])


class _Halving(nn.Module):
    """Half the size: both branches see all channels."""

    def __init__(self, channels: int, wide: int) -> None:
        super().__init__()
        half = wide // 2
        self.branch_proj = nn.Sequential(*_depthwise(channels, 3, 2), *_pointwise(channels, half), nn.ReLU())
        self.branch_main = _main(channels, half, 2)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.branch_proj(x), self.branch_main(x)], 1)


class _Shuffling(nn.Module):
    """The same size: every other channel is passed on, the rest are worked on."""

    def __init__(self, wide: int) -> None:
        super().__init__()
        self.branch_main = _main(wide // 2, wide // 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x[:, ::2], self.branch_main(x[:, 1::2])], 1)


class _Pyramid(nn.Module):
    """One to three large filters in a row, side by side, added to what came in."""

    def __init__(self, channels: int, wide: int) -> None:
        super().__init__()
        self.Conv1x1 = _Narrow(channels, wide)
        self.S1, self.S2, self.S3 = (
            nn.Sequential(*[layer for _ in range(count) for layer in (*_depthwise(wide, 5, 1), nn.ReLU())])
            for count in (1, 2, 3)
        )
        self.output = nn.Sequential(*_pointwise(3 * wide, wide))

    def forward(self, x: Tensor) -> Tensor:
        x = self.Conv1x1(x)
        return F.relu(x + self.output(torch.cat([self.S1(x), self.S2(x), self.S3(x)], 1)))


class _Head(nn.Module):
    """Objectness, box and classes, each by a large filter and a mixing of channels."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.conv1x1 = _Narrow(channels, channels)
        self.obj_layers, self.reg_layers, self.cls_layers = (_Branch(channels, count) for count in (1, 4, classes))

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1x1(x)
        return torch.cat([self.obj_layers(x).sigmoid(), self.reg_layers(x), self.cls_layers(x).softmax(1)], 1)


class _Narrow(nn.Module):
    """A mixing of channels."""

    def __init__(self, channels: int, wide: int) -> None:
        super().__init__()
        self.conv1x1 = nn.Sequential(*_pointwise(channels, wide), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv1x1(x)
        return y


class _Branch(nn.Module):
    """A large filter and a mixing of channels."""

    def __init__(self, channels: int, count: int) -> None:
        super().__init__()
        self.conv5x5 = nn.Sequential(*_depthwise(channels, 5, 1), nn.ReLU(), *_pointwise(channels, count))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv5x5(x)
        return y


def _main(channels: int, half: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        *_pointwise(channels, half), nn.ReLU(), *_depthwise(half, 3, stride), *_pointwise(half, half), nn.ReLU()
    )


def _pointwise(channels: int, wide: int) -> tuple[nn.Module, nn.Module]:
    return nn.Conv2d(channels, wide, 1, bias=False), nn.BatchNorm2d(wide)


def _depthwise(channels: int, side: int, stride: int) -> tuple[nn.Module, nn.Module]:
    conv = nn.Conv2d(channels, channels, side, stride, side // 2, groups=channels, bias=False)
    return conv, nn.BatchNorm2d(channels)


COCO = (
    *("person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat", "traffic light"),
    *("fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog", "horse", "sheep", "cow"),
    *("elephant", "bear", "zebra", "giraffe", "backpack", "umbrella", "handbag", "tie", "suitcase", "frisbee"),
    *("skis", "snowboard", "sports ball", "kite", "baseball bat", "baseball glove", "skateboard", "surfboard"),
    *("tennis racket", "bottle", "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple"),
    *("sandwich", "orange", "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch"),
    *("potted plant", "bed", "dining table", "toilet", "tv", "laptop", "mouse", "remote", "keyboard", "cell phone"),
    *("microwave", "oven", "toaster", "sink", "refrigerator", "book", "clock", "vase", "scissors", "teddy bear"),
    *("hair drier", "toothbrush"),
)
"""COCO's classes in the order of their numbers."""
