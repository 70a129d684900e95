"""Images padded to squares, so that resizing keeps their proportions."""

import numpy as np

from rgbdsod.datasets.coco.boxed import BoxedImage

GREY = 127
"""What is around the image, as in the placement of the APDE benchmark."""


def squared(image: BoxedImage) -> BoxedImage:
    """An image in the middle of a grey square as large as its longer side, boxes with it."""
    height, width = image.size
    side = max(height, width)
    top, left = (side - height) // 2, (side - width) // 2
    pixels = np.full((side, side, 3), GREY, np.uint8)
    pixels[top : top + height, left : left + width] = image.image
    boxes = image.boxes + np.array([left, top, left, top], image.boxes.dtype)
    return BoxedImage(image.id, image.file, pixels, boxes, image.labels, image.crowd)
