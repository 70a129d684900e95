"""Operators in which depth is weighed by attention before it joins RGB."""

from torch import Tensor, nn

from rgbdsod.fusion.depth_enhancement import ChannelGate, SpatialGate
from rgbdsod.fusion.operators.tokens import fitting_width, positions, to_map, to_tokens


class Attention(nn.Module):
    """r + d, where d has passed a gate by channel and a gate by place.

    Args:
        width: channels of each map.

    Source:
        Fan et al., BBS-Net (ECCV 2020), section 3.3: the depth-enhanced module.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.by_channel = ChannelGate(width)
        self.by_place = SpatialGate()

    def forward(self, rgb: Tensor, depth: Tensor) -> Tensor:
        """(B,C,H,W) from two maps of that shape."""
        gated: Tensor = self.by_place(self.by_channel(depth))
        return rgb + gated


class Cross(nn.Module):
    """r + what each of its places finds among all places of d; for small maps, since every pair is compared.

    Args:
        width: channels of each map.
        inner: channels of queries, keys and values at most.
        heads: of the attention.

    Source:
        Vaswani et al., "Attention Is All You Need" (NeurIPS 2017), section 3.2.
    """

    def __init__(self, width: int, inner: int = 256, heads: int = 4) -> None:
        super().__init__()
        inner = fitting_width(width, inner, heads)
        self.ask, self.offer = nn.Linear(width, inner), nn.Linear(width, inner)
        self.norm_rgb, self.norm_depth = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(inner, heads, batch_first=True)
        self.back = nn.Linear(inner, width)

    def forward(self, rgb: Tensor, depth: Tensor) -> Tensor:
        """(B,C,H,W) from two maps of that shape."""
        codes = positions(rgb, self.ask.out_features)
        asked = self.ask(self.norm_rgb(to_tokens(rgb)))
        offered = self.offer(self.norm_depth(to_tokens(depth)))
        found, _ = self.attention(asked + codes, offered + codes, offered, need_weights=False)
        return rgb + to_map(self.back(found), rgb)
