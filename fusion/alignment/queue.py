"""Keys of earlier batches from a slow copy of the encoders: more negatives than a batch holds, and soft targets."""

from copy import deepcopy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rgbdsod.errors import UsageError
from rgbdsod.fusion.alignment.itc import check_pairs, cross_entropies, described, same_group
from rgbdsod.fusion.alignment.precision import Result, full_precision


class MomentumCopy(nn.Module):
    """A copy of a module that follows it slowly and is never trained.

    Args:
        module: what is copied.
        momentum: share of the copy that stays at each update, in [0, 1).

    Raises:
        UsageError: momentum is out of range.

    Source:
        He et al., MoCo, arXiv 1911.05722, equation 2.
    """

    def __init__(self, module: nn.Module, momentum: float = 0.995) -> None:
        super().__init__()
        if not 0 <= momentum < 1:
            raise UsageError(f"momentum {momentum:g}: a share that stays, from 0 to below 1, such as 0.995")
        self.module = deepcopy(module).requires_grad_(False)
        self.momentum = momentum

    @torch.no_grad()
    def update(self, source: nn.Module) -> None:
        """Move towards `source`; its buffers (statistics of BatchNorm) are taken over as they are."""
        for mine, theirs in zip(self.module.parameters(), source.parameters(), strict=True):
            mine.lerp_(theirs.detach(), 1 - self.momentum)
        for held, given in zip(self.module.buffers(), source.buffers(), strict=True):
            held.copy_(given)


class FeatureQueue(nn.Module):
    """Embeddings of the latest images, with the images' ids and groups; a ring that is overwritten.

    Args:
        length: images that it holds. Smaller than the training set, or it fills with the batch's own images.
        size: of the embeddings.

    Raises:
        UsageError: length below 1.
    """

    rgb: Tensor
    depth: Tensor
    ids: Tensor
    groups: Tensor
    written: Tensor

    def __init__(self, length: int, size: int) -> None:
        super().__init__()
        if length < 1:
            raise UsageError(f"a queue of {length}: at least 1 image")
        self.length = length
        for name in ("rgb", "depth"):
            self.register_buffer(name, torch.zeros(length, size))
        for name in ("ids", "groups"):
            self.register_buffer(name, torch.full((length,), -1, dtype=torch.long))
        self.register_buffer("written", torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    def push(self, rgb: Tensor, depth: Tensor, ids: Tensor, groups: Tensor | None = None) -> None:
        """Write a batch over the oldest entries; any batch size, also one that does not divide the length.

        Args:
            rgb: embeddings (B,E); depth: likewise.
            ids: (B,) integers from 0 on.
            groups: (B,), below 0: of no group.
        """
        groups = torch.full_like(ids, -1) if groups is None else groups
        last = slice(-self.length, None)  # of a batch longer than the ring only the end would stay
        skipped = max(0, len(ids) - self.length)
        places = (self.written + skipped + torch.arange(len(ids[last]), device=self.ids.device)) % self.length
        for buffer, values in ((self.rgb, rgb), (self.depth, depth), (self.ids, ids), (self.groups, groups)):
            buffer[places] = values[last].to(buffer)
        self.written += len(ids)

    def blocked(self, ids: Tensor, groups: Tensor | None = None) -> Tensor:
        """Which entries (B,length) are no negatives of these images: empty ones, the image itself, its group."""
        unfit = (self.ids < 0) | (self.ids == ids.to(self.ids)[:, None])
        if groups is None:
            return unfit
        groups = groups.to(self.groups)[:, None]
        return unfit | ((self.groups == groups) & (groups >= 0))


@full_precision
def queue_itc_loss(
    rgb: Tensor,
    depth: Tensor,
    rgb_keys: Tensor,
    depth_keys: Tensor,
    queue: FeatureQueue,
    temperature: Tensor | float,
    ids: Tensor,
    groups: Tensor | None = None,
    distill: float = 0.0,
) -> Result:
    """RGB-depth contrast against a momentum copy's keys of this batch and the queue.

    Args:
        rgb: embeddings (B,E) with gradient; depth: likewise.
        rgb_keys: the momentum copy's embeddings of the same images; depth_keys: likewise.
        queue: keys of earlier batches; the batch is not pushed here.
        temperature: similarities are divided by it.
        ids: (B,) of the images; entries of the same image are no negatives.
        groups: (B,), see `itc_loss`.
        distill: share alpha of the momentum copy's own similarities in the targets, in [0, 1).

    Returns:
        The loss and the diagnostics of `itc_loss`.

    Source:
        Li et al., ALBEF, arXiv 2107.07651, equation 6 (soft targets); ids are this project's.
    """
    check_pairs(rgb, depth)
    rgb, depth, rgb_keys, depth_keys = (F.normalize(x, dim=1) for x in (rgb, depth, rgb_keys, depth_keys))
    ids = ids.to(rgb.device)
    again = (ids[:, None] == ids) & ~torch.eye(len(ids), dtype=torch.bool, device=ids.device)
    unfit = torch.cat([again | same_group(groups, len(ids), ids.device), queue.blocked(ids, groups)], 1)
    losses: list[Tensor] = []
    seen: dict[str, Tensor] = {}
    for query, slow, keys, earlier in (
        (rgb, rgb_keys, depth_keys, queue.depth),
        (depth, depth_keys, rgb_keys, queue.rgb),
    ):
        columns = torch.cat([keys, earlier]).detach().T
        similarity = query @ columns
        targets = _targets(slow @ columns / temperature, unfit, distill)
        losses.append(cross_entropies(similarity / temperature, unfit, targets).mean())
        seen = seen or described(similarity, unfit, temperature)
    return torch.stack(losses).mean(), seen


@torch.no_grad()
def _targets(logits: Tensor, blocked: Tensor, distill: float) -> Tensor:
    """The own pair, softened by what the momentum copy finds similar."""
    own = torch.eye(*logits.shape, device=logits.device, dtype=logits.dtype)
    return distill * logits.masked_fill(blocked, -torch.inf).softmax(1) + (1 - distill) * own
