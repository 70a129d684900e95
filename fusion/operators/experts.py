"""The operator with modality experts: attention is shared, the feed-forward layers are not."""

import torch
from torch import Tensor, nn

from rgbdsod.fusion.operators.tokens import fitting_width, positions, to_map, to_tokens


class Experts(nn.Module):
    """r + a transformer over the tokens of both maps, with an expert for each modality and one for fused tokens.

    The first layer's attention reads all tokens; RGB tokens then pass their own feed-forward layers, depth tokens
    theirs. The second layer's attention reads all again, and one feed-forward layer serves the fused tokens.

    Args:
        width: channels of each map.
        inner: channels of the tokens at most.
        heads: of the attention.

    Source:
        Bao et al., VLMo (NeurIPS 2022, arXiv 2111.02358), section 3.2; Wang et al., BEiT-3 (CVPR 2023, arXiv
        2208.10442), section 2.1.
    """

    def __init__(self, width: int, inner: int = 256, heads: int = 4) -> None:
        super().__init__()
        inner = fitting_width(width, inner, heads)
        self.narrow_rgb, self.narrow_depth = nn.Linear(width, inner), nn.Linear(width, inner)
        self.first, self.second = _SharedAttention(inner, heads), _SharedAttention(inner, heads)
        self.rgb_expert, self.depth_expert, self.fused_expert = (_FeedForward(inner) for _ in range(3))
        self.back = nn.Linear(inner, width)

    def forward(self, rgb: Tensor, depth: Tensor) -> Tensor:
        """(B,C,H,W) from two maps of that shape."""
        codes = positions(rgb, self.back.in_features)
        tokens = torch.cat([self.narrow_rgb(to_tokens(rgb)) + codes, self.narrow_depth(to_tokens(depth)) + codes], 1)
        of_rgb, of_depth = self.first(tokens).chunk(2, dim=1)
        fused = self.second(torch.cat([self.rgb_expert(of_rgb), self.depth_expert(of_depth)], dim=1))
        answer = self.fused_expert(fused.chunk(2, dim=1)[0])
        return rgb + to_map(self.back(answer), rgb)


class _SharedAttention(nn.Module):
    """Self-attention over the tokens of both modalities, with its shortcut."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)

    def forward(self, tokens: Tensor) -> Tensor:
        normal = self.norm(tokens)
        found: Tensor = self.attention(normal, normal, normal, need_weights=False)[0]
        return tokens + found


class _FeedForward(nn.Module):
    """Two linear layers with their shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(self, tokens: Tensor) -> Tensor:
        found: Tensor = self.layers(tokens)
        return tokens + found
