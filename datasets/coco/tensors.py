"""Images with boxes as tensors."""

from collections.abc import Sequence

import cv2
import torch
from torch import Tensor

from rgbdsod.datasets.coco.boxed import BoxedImage
from rgbdsod.errors import DataError
from rgbdsod.types import Objects


def boxed_batch(images: Sequence[BoxedImage], size: tuple[int, int] | None = None) -> tuple[Tensor, list[Objects]]:
    """A batch of images and what each of them shows.

    Args:
        images: one or more; of one size, where none is given.
        size: (H, W) that all are resized to, boxes with them; None: as they are.

    Returns:
        float32 (B,3,H,W) in [0, 1], and the objects of each image, boxes in pixels of these images.

    Raises:
        DataError: sizes differ and none was given.
    """
    sizes = {one.size for one in images}
    if size is None and len(sizes) > 1:
        shown = ", ".join(f"{width}x{height}" for height, width in sorted(sizes)[:3])
        raise DataError(f"images of different sizes ({shown}) make no batch; pass size=(H, W), or one image at a time")
    return torch.cat([_pixels(one, size) for one in images]), [objects_of(one, size) for one in images]


def objects_of(image: BoxedImage, size: tuple[int, int] | None = None) -> Objects:
    """What an image shows, boxes in pixels of `size` (H, W); None: of the image itself."""
    height, width = (1.0, 1.0) if size is None else (new / old for new, old in zip(size, image.size, strict=True))
    boxes = torch.from_numpy(image.boxes).float() * torch.tensor([width, height, width, height])
    return Objects(boxes, torch.from_numpy(image.labels), torch.from_numpy(image.crowd))


def _pixels(image: BoxedImage, size: tuple[int, int] | None) -> Tensor:
    """Resized in 8 bit by OpenCV's bilinear rule, as most released detectors were trained and measured."""
    pixels = image.image if size is None else cv2.resize(image.image, size[::-1], interpolation=cv2.INTER_LINEAR)
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
