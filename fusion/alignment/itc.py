"""RGB-depth contrast: the embedding of an image's RGB is nearer to that of its own depth than to any other's."""

from collections.abc import Mapping
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rgbdsod.errors import UsageError
from rgbdsod.fusion.alignment.pooling import Embedding, Pool, embedding_size
from rgbdsod.fusion.alignment.precision import Result, full_precision
from rgbdsod.fusion.alignment.temperature import Temperature

Positives = Literal["own", "group"]
"""What counts as found, where several images of a batch are of one group."""


@full_precision
def itc_loss(
    rgb: Tensor,
    depth: Tensor,
    temperature: Tensor | float,
    groups: Tensor | None = None,
    *,
    positives: Positives = "own",
) -> Result:
    """Symmetric cross-entropy of the similarities in a batch.

    Args:
        rgb: embeddings (B,E); normalised here.
        depth: likewise.
        temperature: similarities are divided by it.
        groups: (B,) integers; images of one group (frames of a film) are no negatives of each other. Below 0: of no
            group.
        positives: what a row is to find: its "own" column, the rest of its group left out; or all of its "group" (one
            text for several images), each with an equal share of the target.

    Returns:
        The loss, 0 for a batch of one, which has no negatives; and "accuracy" (retrieval in the batch), "positive" and
        "negative" (mean similarities), "temperature", "negatives" (how many a row has).

    Raises:
        UsageError: the embeddings are not of one shape, or there is no such `positives`.

    Source:
        Radford et al., CLIP, arXiv 2103.00020, figure 3; groups are this project's.
    """
    check_pairs(rgb, depth)
    losses, similarity, kin = _contrast(rgb, depth, temperature, groups, positives)
    return losses.mean(), described(similarity, kin, temperature)


@full_precision
def itc_losses(
    rgb: Tensor,
    depth: Tensor,
    temperature: Tensor | float,
    groups: Tensor | None = None,
    *,
    positives: Positives = "own",
) -> Tensor:
    """The share of each pair in `itc_loss`, (B,): half the sum of its row's and its column's cross-entropy.

    Args:
        rgb, depth, temperature, groups, positives: see `itc_loss`.

    Raises:
        UsageError: the embeddings are not of one shape, or there is no such `positives`.
    """
    check_pairs(rgb, depth)
    return _contrast(rgb, depth, temperature, groups, positives)[0]


def _contrast(
    rgb: Tensor, depth: Tensor, temperature: Tensor | float, groups: Tensor | None, positives: Positives
) -> tuple[Tensor, Tensor, Tensor]:
    """Cross-entropies (B,), similarities (B,B) and which of these are of other images of the same group."""
    if positives not in get_args(Positives):
        raise UsageError(f'no positives "{positives}"; they are {", ".join(get_args(Positives))}')
    rgb, depth = F.normalize(rgb, dim=1), F.normalize(depth, dim=1)
    similarity = rgb @ depth.T
    own = torch.eye(len(rgb), device=rgb.device, dtype=rgb.dtype)
    kin = same_group(groups, len(rgb), rgb.device)
    if positives == "group":
        alike = own + kin
        targets, blocked = alike / alike.sum(1, keepdim=True), torch.zeros_like(kin)
    else:
        targets, blocked = own, kin
    logits = similarity / temperature
    rows, columns = (cross_entropies(way, blocked, targets) for way in (logits, logits.T))
    return (rows + columns) / 2, similarity, kin


def check_pairs(rgb: Tensor, depth: Tensor) -> None:
    """Refuse embeddings that are not one of each per image.

    Raises:
        UsageError: the shapes differ, or are not (B,E).
    """
    if rgb.ndim != 2 or rgb.shape != depth.shape:
        raise UsageError(f"embeddings are {tuple(rgb.shape)} and {tuple(depth.shape)}; pass two of one shape (B, E)")


def same_group(groups: Tensor | None, count: int, device: torch.device) -> Tensor:
    """Which pairs (B,B) of different images belong to one group."""
    if groups is None:
        return torch.zeros(count, count, dtype=torch.bool, device=device)
    groups = groups.to(device)
    alike = (groups[:, None] == groups) & (groups >= 0)
    return alike & ~torch.eye(count, dtype=torch.bool, device=device)


def cross_entropies(logits: Tensor, blocked: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy (B,) of each row with `targets` (B,K), in which blocked columns do not count."""
    likely = logits.masked_fill(blocked, -torch.inf).log_softmax(1)
    # The blocked ones are minus infinity, and 0 * inf is not 0.
    return -(targets * likely.masked_fill(blocked, 0.0)).sum(1)


def described(similarity: Tensor, blocked: Tensor, temperature: Tensor | float) -> dict[str, Tensor]:
    """The diagnostics of a contrast whose positives are the diagonal of `similarity` (B,K)."""
    with torch.no_grad():
        own = torch.eye(*similarity.shape, dtype=torch.bool, device=similarity.device)
        others = ~(blocked | own)
        best = similarity.masked_fill(blocked, -torch.inf).argmax(1)
        rows = torch.arange(len(similarity), device=similarity.device)
        return {
            "accuracy": (best == rows).float().mean(),
            "positive": similarity[own].mean(),
            "negative": (similarity * others).sum() / others.sum().clamp(min=1),
            "temperature": torch.as_tensor(temperature, device=similarity.device).detach().clone(),
            "negatives": others.sum(1).float().mean(),
        }


class ITC(nn.Module):
    """RGB-depth contrast with its own projections and a learned temperature.

    Args:
        channels: of the feature maps, by input name: {"rgb": 64, "depth": 64}.
        size: of the embeddings; None: 256, or 128 for encoders narrower than 256.
        pool: how a map becomes a vector: "gap", "mask" or "attn".
        temperature: at the start; it is learned in log scale and kept in [0.01, 0.5].

    Example:
        >>> import torch
        >>> from rgbdsod.fusion import ITC
        >>> loss, seen = ITC({"rgb": 8, "depth": 8})(torch.rand(4, 8, 6, 6), torch.rand(4, 8, 6, 6))
        >>> sorted(seen)
        ['accuracy', 'negative', 'negatives', 'positive', 'temperature']
    """

    def __init__(
        self, channels: Mapping[str, int], *, size: int | None = None, pool: Pool = "gap", temperature: float = 0.07
    ) -> None:
        super().__init__()
        self.size = size or embedding_size(min(channels.values()))
        self.embeddings = nn.ModuleDict({name: Embedding(width, self.size, pool) for name, width in channels.items()})
        self.learned = Temperature(temperature)

    @property
    def temperature(self) -> Tensor:
        """What similarities are divided by."""
        value: Tensor = self.learned()
        return value

    @full_precision
    def embed(self, name: str, feature: Tensor, mask: Tensor | None = None) -> Tensor:
        """Unit vectors (B,E) of the feature maps (B,C,h,w) of one input."""
        vectors: Tensor = self.embeddings[name](feature, mask)
        return vectors

    def forward(self, rgb: Tensor, depth: Tensor, mask: Tensor | None = None, groups: Tensor | None = None) -> Result:
        """The loss of `itc_loss` for feature maps (B,C,h,w) of one level.

        Args:
            rgb: of RGB; depth: of depth, from an encoder that has not seen the RGB.
            mask: ground truth (B,1,H,W), for pool "mask".
            groups: (B,), see `itc_loss`.
        """
        return self.loss(self.embed("rgb", rgb, mask), self.embed("depth", depth, mask), groups)

    @full_precision
    def similarity(self, rgb: Tensor, depth: Tensor) -> Tensor:
        """Similarities of embeddings over the temperature, (B,B), RGB by depth, without gradient."""
        return (rgb @ depth.T / self.temperature).detach()

    def loss(self, rgb: Tensor, depth: Tensor, groups: Tensor | None = None) -> Result:
        """`itc_loss` of embeddings (B,E), at the learned temperature."""
        return itc_loss(rgb, depth, self.temperature, groups)
