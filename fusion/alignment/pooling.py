"""From a feature map to one unit vector per image: pool, project, normalise."""

from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rgbdsod.errors import UsageError

Pool = Literal["gap", "mask", "attn"]

SMALL = 128
"""Size of an embedding for encoders narrower than `WIDE`; else it is twice that."""

WIDE = 256


def embedding_size(channels: int) -> int:
    """Length of the embedding of a feature with this many channels."""
    return WIDE if channels >= WIDE else SMALL


class Embedding(nn.Module):
    """Pools a feature map and projects it onto the unit sphere.

    Args:
        channels: of the feature map.
        size: of the embedding.
        pool: "gap" is the mean over all places, "mask" the mean over the object, "attn" a learned weighting.

    Raises:
        UsageError: another pool.
    """

    def __init__(self, channels: int, size: int, pool: Pool = "gap") -> None:
        super().__init__()
        if pool not in get_args(Pool):
            raise UsageError(f'pool "{pool}": expected {", ".join(get_args(Pool))}')
        self.pool = pool
        self.score = nn.Conv2d(channels, 1, 1) if pool == "attn" else None
        self.project = nn.Linear(channels, size)

    def forward(self, feature: Tensor, mask: Tensor | None = None) -> Tensor:
        """Unit vectors (B,E).

        Args:
            feature: (B,C,h,w).
            mask: what is salient, (B,1,H,W) in [0, 1]; only "mask" looks at it.

        Raises:
            UsageError: the pool is "mask" and there is none.
        """
        weights = self._weights(feature, mask)
        pooled = (feature * weights).sum((2, 3))
        return F.normalize(self.project(pooled), dim=1)

    def _weights(self, feature: Tensor, mask: Tensor | None) -> Tensor:
        """Share of each place, (B,1,h,w), summing to 1."""
        height, width = feature.shape[-2:]
        if self.score is not None:
            learned: Tensor = self.score(feature).flatten(2).softmax(2).view(-1, 1, height, width)
            return learned
        weights = torch.ones_like(feature[:, :1])
        if self.pool == "mask":
            if mask is None:
                raise UsageError('pool "mask" needs the masks of the images; pass them, or use pool "gap"')
            inside = F.adaptive_avg_pool2d(mask.to(feature), (height, width))
            # An image without an object is pooled as a whole.
            weights = torch.where(inside.sum((2, 3), keepdim=True) > 0, inside, weights)
        return weights / weights.sum((2, 3), keepdim=True)
