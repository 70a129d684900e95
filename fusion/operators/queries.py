"""The operator with learned queries: a narrow passage between two encoders that may be frozen."""

import torch
from torch import Tensor, nn

from rgbdsod.fusion.operators.tokens import fitting_width, positions, to_map, to_tokens


class Queries(nn.Module):
    """r + what its places read from a few learned queries, which have read both maps before.

    All that passes from depth to RGB goes through the queries, so few parameters fuse a pair of frozen encoders.

    Args:
        width: channels of each map.
        count: number of queries.
        inner: channels of the queries at most.
        heads: of the attention.

    Source:
        Li et al., BLIP-2 (ICML 2023, arXiv 2301.12597), section 3.1: the querying transformer; reading back into a
        map is ours.
    """

    def __init__(self, width: int, count: int = 16, inner: int = 96, heads: int = 4) -> None:
        super().__init__()
        inner = fitting_width(width, inner, heads)
        self.queries = nn.Parameter(torch.randn(count, inner) / inner**0.5)
        self.narrow_rgb, self.narrow_depth = nn.Linear(width, inner), nn.Linear(width, inner)
        self.norm = nn.LayerNorm(inner)
        self.read = nn.MultiheadAttention(inner, heads, batch_first=True)
        self.think = nn.Sequential(nn.LayerNorm(inner), nn.Linear(inner, inner), nn.GELU(), nn.Linear(inner, inner))
        self.answer = nn.MultiheadAttention(inner, heads, batch_first=True)
        self.back = nn.Linear(inner, width)

    def forward(self, rgb: Tensor, depth: Tensor) -> Tensor:
        """(B,C,H,W) from two maps of that shape."""
        codes = positions(rgb, self.back.in_features)
        of_rgb = self.norm(self.narrow_rgb(to_tokens(rgb)))
        of_depth = self.norm(self.narrow_depth(to_tokens(depth)))
        keys = torch.cat([of_rgb + codes, of_depth + codes], dim=1)
        queries = self.queries.expand(len(rgb), -1, -1)
        queries = queries + self.read(queries, keys, torch.cat([of_rgb, of_depth], dim=1), need_weights=False)[0]
        queries = queries + self.think(queries)
        found, _ = self.answer(of_rgb + codes, queries, queries, need_weights=False)
        return rgb + to_map(self.back(found), rgb)
