"""Pairs that do not belong together: other images' inputs that look alike, and an image's own depth, displaced."""

import torch
import torch.nn.functional as F
from torch import Tensor

from rgbdsod.fusion.alignment.itc import same_group

VISIBLE = 0.01
"""A displaced depth map that differs from the map by less (mean absolute difference) is no negative."""


@torch.no_grad()
def hard_negatives(logits: Tensor, groups: Tensor | None, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """For each query another image's key, the likelier the more similar it is.

    Args:
        logits: similarities over the temperature, (B,B): row i are those of query i; the diagonal is the positive.
        groups: (B,), see `itc_loss`; none of the query's own group is drawn.
        generator: on the CPU.

    Returns:
        Index (B,) drawn with probability softmax(logits) among those allowed; and whether there was one, (B,).

    Source:
        Li et al., ALBEF, arXiv 2107.07651, section 3.2.
    """
    count = len(logits)
    own = torch.eye(count, dtype=torch.bool, device=logits.device)
    allowed = ~(own | same_group(groups, count, logits.device))
    uniform = torch.rand(count, count, generator=generator, dtype=torch.float64).clamp(min=1e-300).to(logits.device)
    # The largest of logits plus Gumbel noise is a draw from their softmax, and needs no wait for the device.
    noisy = logits.double() - (-uniform.log()).log()
    index = noisy.masked_fill(~allowed, -torch.inf).argmax(1)
    some = allowed.any(1)
    return torch.where(some, index, own.int().argmax(1)), some


@torch.no_grad()
def altered_depth(depth: Tensor, mask: Tensor | None, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Each image's own depth, shifted, flipped, turned around, or with the object removed.

    Without such pairs a matching head need only compare the layouts of rooms.

    Args:
        depth: (B,1,H,W) in [0, 1].
        mask: what is salient, (B,1,H,W); None: no object is removed.
        generator: on the CPU; of what is done to which image.

    Returns:
        The altered depth, and whether it differs visibly from the depth, (B,).
    """
    height, width = depth.shape[-2:]
    down, right = (_shift(side, generator) for side in (height, width))
    ways = [_shifted(depth, down, right), depth.flip(-1), depth.flip(-2, -1)]
    if mask is not None:
        ways.append(_without(depth, mask))
    chosen = torch.randint(len(ways), (len(depth),), generator=generator).to(depth.device)
    altered = torch.stack(ways)[chosen, torch.arange(len(depth), device=depth.device)]
    return altered, (altered - depth).abs().mean((1, 2, 3)) > VISIBLE


def _shift(side: int, generator: torch.Generator) -> int:
    """Between an eighth and a quarter of a side, either way."""
    span = int(torch.randint(max(1, side // 8), max(2, side // 4) + 1, (), generator=generator))
    return span if torch.rand((), generator=generator) < 0.5 else -span


def _shifted(depth: Tensor, down: int, right: int) -> Tensor:
    """Moved, the border repeated into what becomes free."""
    height, width = depth.shape[-2:]
    rows = (torch.arange(height, device=depth.device) - down).clamp(0, height - 1)
    columns = (torch.arange(width, device=depth.device) - right).clamp(0, width - 1)
    return depth[..., rows, :][..., columns]


def _without(depth: Tensor, mask: Tensor) -> Tensor:
    """The object replaced by what is around it, the nearer the more."""
    inside = (F.max_pool2d(mask, 5, 1, 2) > 0.5).to(depth)
    known, filled = 1 - inside, depth * (1 - inside)
    result, missing = filled, inside
    for _ in range(_doublings(depth)):
        filled, known = F.avg_pool2d(filled, 2, ceil_mode=True), F.avg_pool2d(known, 2, ceil_mode=True)
        guess = F.interpolate(filled / known.clamp(min=1e-6), depth.shape[-2:], mode="nearest")
        usable = F.interpolate((known > 0).to(depth), depth.shape[-2:], mode="nearest") * missing
        result, missing = result + usable * guess, missing - usable
    return result + missing * depth


def _doublings(depth: Tensor) -> int:
    return max(depth.shape[-2:]).bit_length()
