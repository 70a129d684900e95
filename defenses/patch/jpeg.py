"""Saving as JPEG and reading again."""

from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np
import torch
from kornia.enhance import jpeg_codec_differentiable
from numpy.typing import NDArray
from torch import Tensor

from rgbdsod.defenses.patch.purifier import Differentiable, Filter
from rgbdsod.errors import UsageError


@dataclass(frozen=True, eq=False, kw_only=True)
class Jpeg(Filter):
    """Encoded and decoded by libjpeg, depth as an 8-bit grey image; attacked through a differentiable codec.

    Args:
        on: the inputs that are saved; None: all.
        quality: 1 to 100.

    Raises:
        UsageError: a quality outside.

    Source: Dziugaite et al., "A study of the effect of JPG compression on adversarial images", arXiv 1608.00853; the
        codec for attacks: Reich et al., "Differentiable JPEG: The Devil is in the Details", WACV 2024.
    """

    quality: int = 75

    name: ClassVar[str] = "jpeg"
    differentiable: ClassVar[Differentiable] = "bpda"

    def __post_init__(self) -> None:
        if not 1 <= self.quality <= 100:
            raise UsageError(f"quality={self.quality}; pass 1 to 100")

    @torch.no_grad()
    def filter(self, image: Tensor) -> Tensor:
        """The decoded image; the codec runs on the CPU, image by image."""
        levels = (image.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
        decoded = torch.from_numpy(np.stack([self._saved(picture) for picture in levels]))
        return decoded.view(len(image), *image.shape[-2:], -1).permute(0, 3, 1, 2).to(image) / 255

    def _saved(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A picture (H,W,C), encoded and decoded; channels change places on both ways."""
        _, file = cv2.imencode(".jpg", _turned(picture), [cv2.IMWRITE_JPEG_QUALITY, self.quality])
        return _turned(np.atleast_3d(np.asarray(cv2.imdecode(file, cv2.IMREAD_UNCHANGED), np.uint8)))

    def filter_softly(self, image: Tensor) -> Tensor:
        """The same tables with a smooth rounding."""
        quality = image.new_tensor([float(self.quality)])
        colour = image.expand(-1, 3, -1, -1)
        decoded: Tensor = jpeg_codec_differentiable(colour, quality)
        return decoded if image.shape[1] == 3 else decoded.mean(1, keepdim=True)


def _turned(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """RGB as BGR, and the reverse; grey as it is."""
    return picture if picture.shape[-1] == 1 else np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), np.uint8)
