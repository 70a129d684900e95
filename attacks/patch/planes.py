"""Planes in inverse depth: a card's, the one fitted to what a print is glued to, and what keeps a card in front."""

import torch
from torch import Tensor

COVERED = 0.95  # of what a card hides must lie behind it; the rest is measured wrongly, or sticks out
_HUBER, _SPREAD = 1.345, 1.4826  # Huber's bound for 95 % efficiency; a normal's deviation over its median |residual|
_REWEIGHTINGS = 3


def card(near: Tensor, tilt: Tensor, centre: Tensor, like: Tensor, *, focal: float, offset: float) -> Tensor:
    """Inverse depth of a card all over the image, (B,1,H,W).

    Args:
        near: inverse depth at the card's centre, (B,).
        tilt: see `rgbdsod.attacks.patch.pose.Pose`, (B,2).
        centre: the pixel (x, y) of the card's centre, (B,2).
        like: a map (B,1,H,W), for its size and type.
        focal: in pixels.
        offset: see `DepthKind.offset`.
    """
    slope = ((near + offset)[:, None] * tilt.to(near) / focal)[:, :, None, None, None]
    x, y = _pixels(like)
    middle = centre.to(near)[:, :, None, None, None]
    return near[:, None, None, None] + slope[:, 0] * (x - middle[:, 0]) + slope[:, 1] * (y - middle[:, 1])


def in_front(plane: Tensor, clean: Tensor, mask: Tensor, top: float = 1.0) -> Tensor:
    """The plane moved nearer until it hides what lies under the mask, and nowhere nearer than the limit.

    A plane that would have to pass the limit is turned towards the camera as well. The gradient is that of the plane
    that was asked for, so that an attack learns what it would gain.

    Args:
        plane: inverse depth (B,1,H,W).
        clean: inverse depth of the scene, of the same shape, at most `top`.
        mask: bool, of the same shape.
        top: the largest inverse depth.
    """
    with torch.no_grad():
        lift = _reached(clean - plane, mask).clamp_min(0)
        highest = (plane + lift).masked_fill(~mask, -torch.inf).flatten(1).amax(1).view(-1, 1, 1, 1)
        found, over = plane + lift, highest > top
        if bool(over.any()):
            fall = highest - found
            steep = -_reached(-(top - clean) / fall.clamp_min(1e-9), mask)
            found = torch.where(over, top - steep.clamp(0, 1) * fall, found)
    return found + (plane - plane.detach())


def fitted(inverse: Tensor, mask: Tensor) -> Tensor:
    """The plane (B,1,H,W) through what lies under the mask: Huber's robust fit, three reweightings.

    Args:
        inverse: inverse depth of the scene, (B,1,H,W).
        mask: bool, of the same shape.

    Source: Huber, "Robust Estimation of a Location Parameter", Annals of Mathematical Statistics 35, 1964.
    """
    x, y = _pixels(inverse.double())
    height, width = inverse.shape[-2:]
    flat = torch.zeros_like(x + y)
    basis = torch.stack([flat + 1, flat + x / width, flat + y / height], -1).reshape(-1, 3)
    values, inside = inverse.double().flatten(1), mask.flatten(1)
    weight = inside.double()
    for _ in range(_REWEIGHTINGS + 1):
        left = torch.einsum("bn,ni,nj->bij", weight, basis, basis)
        left = left + 1e-9 * torch.eye(3, dtype=left.dtype, device=left.device)  # one pixel is a plane as well
        numbers = torch.linalg.solve(left, torch.einsum("bn,ni,bn->bi", weight, basis, values))
        residual = (values - numbers @ basis.T).abs()
        spread = residual.masked_fill(~inside, torch.nan).nanmedian(1, keepdim=True).values.nan_to_num()
        bound = (_HUBER * _SPREAD * spread).clamp_min(1e-9)
        weight = inside / (residual / bound).clamp_min(1)
    plane: Tensor = numbers @ basis.T
    return plane.view(inverse.shape).to(inverse)


def _reached(values: Tensor, mask: Tensor) -> Tensor:
    """The number (B,1,1,1) that 95 % of the values under the mask do not exceed; 0 where the mask is empty."""
    inside = mask.flatten(1)
    count = inside.sum(1, keepdim=True)
    above = (count - (count * COVERED).ceil()).long().clamp_min(0)
    largest = values.flatten(1).masked_fill(~inside, -torch.inf).topk(int(above.max()) + 1, 1).values
    return torch.where(count > 0, largest.gather(1, above), 0.0).view(-1, 1, 1, 1)


def _pixels(like: Tensor) -> tuple[Tensor, Tensor]:
    """Coordinates x (1,W) and y (H,1)."""
    height, width = like.shape[-2:]
    x = torch.arange(width, device=like.device, dtype=like.dtype)[None]
    return x, torch.arange(height, device=like.device, dtype=like.dtype)[:, None]
