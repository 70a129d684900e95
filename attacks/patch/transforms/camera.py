"""What a camera does to the whole picture, and a depth sensor to the whole map."""

from kornia.enhance import jpeg_codec_differentiable
from torch import Tensor
from torch.nn.functional import pad

from rgbdsod.attacks.patch.transforms.draw import Draw, where

_BLOCK = 16  # pixels that JPEG codes together where colour is halved


def jpeg(picture: Tensor, draw: Draw, *, chance: float = 0.3, least: float = 50.0, most: float = 95.0) -> Tensor:
    """JPEG with a differentiable stand-in for its rounding, (B,3,H,W) in [0, 1]; both sides are filled up to blocks."""
    happens, quality = draw.happens(chance), draw.uniform(least, most)
    height, width = picture.shape[-2:]
    filled = pad(picture, (0, -width % _BLOCK, 0, -height % _BLOCK), mode="replicate")
    coded = jpeg_codec_differentiable(filled, quality)[..., :height, :width]
    return where(happens, coded, picture)


def sensor(depth: Tensor, draw: Draw, *, spread: float = 0.005, levels: int = 255) -> Tensor:
    """A stereo sensor's noise, which is even in inverse depth, and its rounding, (B,1,H,W) in [0, 1].

    An error of matching is a fixed step in inverse depth, hence one that grows with the square of distance in metres.
    Rounding passes the gradient on.
    """
    noisy = (depth + spread * draw.normal(*depth.shape[1:])).clamp(0, 1)
    return noisy + ((noisy * levels).round() / levels - noisy).detach()
