"""The shortest step onto a plane that does not leave the box, in each norm."""

import torch
from torch import Tensor

_MOST = 40  # Newton steps; each ends at a later piece of the curve, and most curves take fewer than ten


@torch.no_grad()
def plane_step(points: Tensor, slope: Tensor, value: Tensor, lower: Tensor, upper: Tensor, norm: str) -> Tensor:
    """The least change d with `value + <slope, d> = 0` that stays in the box; to the box's corner where none does.

    Args:
        points: from where, (B, D), inside the box.
        slope: the plane's normal, (B, D).
        value: what the linear function is at the points, (B,).
        lower: the least that each coordinate may be, (B, D).
        upper: the most.
        norm: in which the change is least: "linf", "l2" or "l1".

    Returns:
        The change, (B, D).

    Source: Croce and Hein, "Minimally distorted adversarial examples with a fast adaptive boundary attack", arXiv
    1907.02044, section 2.2 (equations 5 and 6).
    """
    way = -slope.sign() * value.sign()[:, None]
    weight, need = slope.abs(), value.abs()[:, None]
    room = torch.where(way > 0, upper - points, points - lower)
    return way * (_heaviest(weight, room, need) if norm == "l1" else _even(weight, room, need, norm))


def _even(weight: Tensor, room: Tensor, need: Tensor, norm: str) -> Tensor:
    """Sizes `min(far * speed, room)` that together gain what is needed: all move alike, L2 by their weights.

    The gain grows with it, in straight pieces that get flatter, so Newton's method from 0 never goes too far, and is
    exact when it reaches the right piece.
    """
    speed = weight if norm == "l2" else (weight > 0).to(weight)
    rate, far = weight * speed, torch.zeros_like(need)
    for _ in range(_MOST):
        size = torch.minimum(far * speed, room)
        lack = need - (weight * size).sum(1, keepdim=True)
        left = torch.where(far * speed < room, rate, 0.0).sum(1, keepdim=True)
        further = torch.where((left > 0) & (lack > 0), lack / left, 0.0)
        if further.is_cpu and not bool((further > 1e-12 * far).any()):
            break
        far = far + further
    return torch.minimum(far * speed, room)


def _heaviest(weight: Tensor, room: Tensor, need: Tensor) -> Tensor:
    """Sizes that gain what is needed: the heaviest coordinates move as far as they can, the last in part."""
    order = weight.argsort(1, descending=True)
    gains = (weight * room).gather(1, order)
    before = gains.double().cumsum(1) - gains
    used = torch.minimum((need - before).clamp_min(0), gains.double()) / gains.clamp_min(torch.finfo(gains.dtype).tiny)
    return room * torch.zeros_like(room).scatter(1, order, used.to(room))
