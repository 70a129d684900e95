"""Cross-attention from the tokens of RGB to those of depth: what matching, masking and detection share."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from rgbdsod.fusion.alignment.pooling import embedding_size
from rgbdsod.fusion.alignment.precision import full_precision


class CrossEncoder(nn.Module):
    """Tokens of one input, with a class token before them, read those of the other.

    Args:
        channels: of the feature maps, by input name.
        width: of the tokens; None: 256, or 128 for encoders narrower than 256.
        layers: blocks of self-attention, cross-attention and a two-layer perceptron.
        heads: of each attention.

    Source:
        Li et al., ALBEF, arXiv 2107.07651, section 3.1 (the multimodal encoder), at a few layers.
    """

    def __init__(
        self, channels: Mapping[str, int], *, width: int | None = None, layers: int = 2, heads: int = 4
    ) -> None:
        super().__init__()
        self.width = width or embedding_size(min(channels.values()))
        self.project = nn.ModuleDict({name: nn.Linear(c, self.width) for name, c in channels.items()})
        self.kind = nn.ParameterDict({name: nn.Parameter(torch.zeros(self.width)) for name in channels})
        self.first = nn.Parameter(torch.randn(self.width) * 0.02)
        self.blocks = nn.ModuleList(CrossBlock(self.width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(self.width)

    @full_precision
    def tokens(self, name: str, feature: Tensor) -> Tensor:
        """Tokens (B,h*w,W) of the feature maps (B,C,h,w) of one input, with codes of their places."""
        projected: Tensor = self.project[name](feature.flatten(2).transpose(1, 2))
        height, width = feature.shape[-2:]
        tokens: Tensor = projected + self.kind[name] + place_codes(height, width, self.width, feature.device)
        return tokens

    @full_precision
    def read(self, queries: Tensor, keys: Tensor) -> tuple[Tensor, Tensor]:
        """The class token after reading, and where attention went.

        Args:
            queries: tokens (B,N,W) that ask; keys: tokens (B,M,W) that are read.

        Returns:
            The class token (B,W); attention (B,M), mean over heads and queries of the last block, summing to 1.
        """
        x = torch.cat([self.first.expand(len(queries), 1, -1), queries], 1)
        attention = queries.new_zeros(len(queries), keys.shape[1])
        for block in self.blocks:
            x, weights = block(x, keys)
            attention = weights.mean(1)
        token: Tensor = self.norm(x[:, 0])
        return token, attention

    def forward(self, rgb: Tensor, depth: Tensor) -> tuple[Tensor, Tensor]:
        """`read` of the RGB's tokens in the depth's, for feature maps (B,C,h,w)."""
        return self.read(self.tokens("rgb", rgb), self.tokens("depth", depth))


class CrossBlock(nn.Module):
    """Self-attention, cross-attention and a perceptron, each on normalised tokens and added to them.

    Args:
        width: of the tokens.
        heads: of each attention.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(4))
        self.own = nn.MultiheadAttention(width, heads, batch_first=True)
        self.other = nn.MultiheadAttention(width, heads, batch_first=True)
        self.mix = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x: Tensor, keys: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens (B,N,W) after reading `keys` (B,M,W), and the weights (B,N,M) of that reading."""
        mine = self.norms[0](x)
        x = x + self.own(mine, mine, mine, need_weights=False)[0]
        theirs = self.norms[2](keys)
        found, weights = self.other(self.norms[1](x), theirs, theirs)
        x = x + found
        return x + self.mix(self.norms[3](x)), weights


def place_codes(height: int, width: int, size: int, device: torch.device) -> Tensor:
    """Sines and cosines of row and column, (height * width, size), for any height and width.

    Source:
        Vaswani et al., "Attention Is All You Need", arXiv 1706.03762, section 3.5, once for each axis.
    """
    quarter = -(-size // 4)
    rates = 100.0 ** -(torch.arange(quarter, device=device) / quarter)
    rows = torch.arange(height, device=device)[:, None] * rates
    columns = torch.arange(width, device=device)[:, None] * rates
    down = torch.cat([rows.sin(), rows.cos()], 1)[:, None].expand(-1, width, -1)
    right = torch.cat([columns.sin(), columns.cos()], 1)[None].expand(height, -1, -1)
    return torch.cat([down, right], 2).flatten(0, 1)[:, :size]
