"""Nearest points of a ball and the box [0, 1] together: per sample, batched, by bisection or topk instead of sorting.

All take the point to project and the clean centre, both (B, ...), and a radius that broadcasts to (B, 1, ..., 1). `x`
names the centre and `v` the way from it, as in the papers.
"""

import torch
from torch import Tensor


def dims(x: Tensor) -> tuple[int, ...]:
    """All dimensions but the batch's."""
    return tuple(range(1, x.ndim))


def norm(v: Tensor, order: float) -> Tensor:
    """The norm of each sample, (B, 1, ..., 1)."""
    size: Tensor = torch.linalg.vector_norm(v, order, dim=dims(v), keepdim=True)
    return size


def _bisections(x: Tensor) -> int:
    """Halvings after which the interval is as fine as the numbers."""
    return 50 if x.dtype == torch.float64 else 30


def l2_clip(point: Tensor, clean: Tensor, radius: Tensor) -> Tensor:
    """Scale to the L2 ball, then clip to the box: inside both, but not always the nearest such point.

    Clipping towards a box that holds the centre cannot make the change longer.
    """
    v = point - clean
    scale = (radius / norm(v, 2).clamp_min(torch.finfo(v.dtype).tiny)).clamp_max(1)
    return torch.addcmul(clean, v, scale).clamp_(0, 1)


def l2_box(point: Tensor, clean: Tensor, radius: Tensor) -> Tensor:
    """The nearest point of L2 ball and box: `clip(x + s v)` with the largest s in [0, 1] that stays in the ball."""
    v = point - clean
    low = (radius / norm(v, 2).clamp_min(torch.finfo(v.dtype).tiny)).clamp_max(1)
    high = torch.ones_like(low)
    inside = norm(torch.clamp(clean + v, 0, 1) - clean, 2) <= radius
    low = torch.where(inside, high, low)
    for _ in range(_bisections(v)):
        middle = (low + high) / 2
        inside = norm(torch.addcmul(clean, v, middle).clamp_(0, 1) - clean, 2) <= radius
        low, high = torch.where(inside, middle, low), torch.where(inside, high, middle)
    return torch.addcmul(clean, v, low).clamp_(0, 1)


def l1_box(point: Tensor, clean: Tensor, radius: Tensor) -> Tensor:
    """The nearest point of L1 ball and box.

    `sign(v) clip(|v| - tau, 0, cap)` with the smallest `tau >= 0` whose sum is at most the radius; the cap is the room
    to the box. The sum falls with tau, so tau is bisected from the feasible side.

    Source: Croce and Hein, "Mind the box: l1-APGD for sparse adversarial attacks", arXiv 2103.01208, proposition 2.1.
    """
    v = point - clean
    size, cap = v.abs(), torch.where(v > 0, 1 - clean, clean)

    def shrunk(tau: Tensor) -> Tensor:
        return torch.minimum((size - tau).clamp_min(0), cap)

    low = torch.zeros_like(norm(v, 1))
    high = size.amax(dims(v), keepdim=True)
    high = torch.where(norm(shrunk(low), 1) <= radius, low, high)
    for _ in range(_bisections(v)):
        middle = (low + high) / 2
        inside = norm(shrunk(middle), 1) <= radius
        low, high = torch.where(inside, low, middle), torch.where(inside, middle, high)
    return torch.addcmul(clean, v.sign(), shrunk(high))


def l0_box(point: Tensor, clean: Tensor, radius: Tensor, *, most: int, per_pixel: bool = True) -> Tensor:
    """The nearest point of the box that differs from the centre in at most `radius` positions.

    A position's gain is what keeping it saves in squared distance, `v^2 - (u - clip(u))^2` summed over its channels.

    Args:
        point: (B,C,H,W) if `per_pixel`, else any shape.
        clean: the centre.
        radius: number of positions.
        most: the largest radius of the batch, known on the host so that the device need not be asked.
        per_pixel: a position is a pixel with all its channels; otherwise a single value.

    Source: Croce and Hein, "Sparse and Imperceivable Adversarial Attacks", arXiv 1909.05040, section 4.1.
    """
    inside = point.clamp(0, 1)
    gain = (point - clean).square() - (point - inside).square()
    if per_pixel:
        gain = gain.sum(1, keepdim=True)
    return torch.where(largest(gain, radius, most), inside, clean)


def largest(score: Tensor, count: Tensor | int, most: int) -> Tensor:
    """Where each sample has its `count` largest scores: bool of `score`'s shape.

    Args:
        score: (B, ...).
        count: how many, for all or for each sample.
        most: the largest `count`, known on the host.
    """
    flat = score.flatten(1)
    most = min(most, flat.shape[1])
    chosen = flat.topk(most, dim=1).indices
    ranks = torch.arange(most, device=flat.device)
    kept = ranks < (count.reshape(-1, 1) if isinstance(count, Tensor) else count)
    return torch.zeros_like(flat, dtype=torch.bool).scatter_(1, chosen, kept.expand_as(chosen)).view_as(score)
