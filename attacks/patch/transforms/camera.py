"""What a camera does to the whole picture, and a depth sensor to the whole map."""

from torch import Tensor

from rgbdsod.attacks.patch.compose import passing
from rgbdsod.attacks.patch.transforms.coding import coded
from rgbdsod.attacks.patch.transforms.draw import Draw, only


def jpeg(picture: Tensor, draw: Draw, *, chance: float = 0.3, least: float = 50.0, most: float = 95.0) -> Tensor:
    """JPEG with a differentiable stand-in for its rounding, (B,3,H,W) in [0, 1]."""
    happens, quality = draw.happens(chance), draw.uniform(least, most)
    return only(picture, happens, lambda some: passing(coded(some, quality[happens])))


def sensor(depth: Tensor, draw: Draw, *, spread: float = 0.005, levels: int = 255) -> Tensor:
    """A stereo sensor's noise, which is even in inverse depth, and its rounding, (B,1,H,W) in [0, 1].

    An error of matching is a fixed step in inverse depth, hence one that grows with the square of distance in metres.
    Rounding passes the gradient on.
    """
    noisy = (depth + spread * draw.normal(*depth.shape[1:])).clamp(0, 1)
    return noisy + ((noisy * levels).round() / levels - noisy).detach()
