"""Cross-attention from the tokens of RGB to those of depth: what matching, masking and detection share."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
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
        self.heads = heads
        self.width = width or embedding_size(min(channels.values()))
        # Features of one sign hide what varies under what does not; without this, matching took far longer to begin.
        self.norms = nn.ModuleDict({name: nn.BatchNorm2d(c, affine=False) for name, c in channels.items()})
        self.project = nn.ModuleDict({name: nn.Linear(c, self.width) for name, c in channels.items()})
        self.kind = nn.ParameterDict({name: nn.Parameter(torch.zeros(self.width)) for name in channels})
        self.first = nn.Parameter(torch.randn(self.width) * 0.02)
        self.blocks = nn.ModuleList(CrossBlock(self.width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(self.width)

    @full_precision
    def tokens(self, name: str, feature: Tensor) -> Tensor:
        """Tokens (B,h*w,W) of the feature maps (B,C,h,w) of one input, with codes of their places."""
        projected: Tensor = self.project[name](self.norms[name](feature).flatten(2).transpose(1, 2))
        height, width = feature.shape[-2:]
        tokens: Tensor = projected + self.kind[name] + place_codes(height, width, self.width, feature.device)
        return tokens

    @full_precision
    def read(self, queries: Tensor, keys: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """The class token after reading, and where attention went.

        Args:
            queries: tokens (B,h*w,W) that ask; keys: tokens (B,h*w,W) that are read.
            size: (h, w) of both.

        Returns:
            The class token (B,W); attention (B,h*w), mean over heads and queries of the last block, summing to 1.
        """
        x = torch.cat([self.first.expand(len(queries), 1, -1), queries], 1)
        attention = queries.new_zeros(len(queries), keys.shape[1])
        near = nearness(size, self.heads, queries)
        for block in self.blocks:
            x, weights = block(x, keys, near)
            attention = weights.mean(1)
        token: Tensor = self.norm(x[:, 0])
        return token, attention

    def forward(self, rgb: Tensor, depth: Tensor) -> tuple[Tensor, Tensor]:
        """`read` of the RGB's tokens in the depth's, for feature maps (B,C,h,w)."""
        height, width = rgb.shape[-2:]
        return self.read(self.tokens("rgb", rgb), self.tokens("depth", depth), (height, width))


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

    def forward(self, x: Tensor, keys: Tensor, near: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens (B,N,W) after reading `keys` (B,M,W), and the weights (B,N,M) of that reading.

        Args:
            x: tokens that ask.
            keys: tokens that are read.
            near: what is added to the attention's logits, (B*heads,N,M).
        """
        mine = self.norms[0](x)
        x = x + self.own(mine, mine, mine, need_weights=False)[0]
        theirs = self.norms[2](keys)
        found, weights = self.other(self.norms[1](x), theirs, theirs, attn_mask=near)
        x = x + found
        return x + self.mix(self.norms[3](x)), weights


def nearness(size: tuple[int, int], heads: int, like: Tensor) -> Tensor:
    """What attention favours: the two inputs are registered, so most heads begin by reading near their own place.

    Args:
        size: (h, w) of the tokens.
        heads: of the attention; the first has no preference, each further one a narrower reach.
        like: tokens (B,...), for batch and device.

    Returns:
        (B*heads, 1+h*w, h*w); the class token, which comes first, has no place and no preference.

    Source:
        Press et al., ALiBi, arXiv 2108.12409, section 3, in two dimensions.
    """
    height, width = size
    flat = torch.arange(height * width, device=like.device)
    place = torch.stack([flat // width, flat % width], 1).float()
    slopes = torch.tensor([0.0, *(2.0 ** (head - 1) for head in range(heads - 1))], device=like.device)
    bias = -slopes[:, None, None] * torch.cdist(place, place)
    return F.pad(bias, (0, 0, 1, 0)).repeat(len(like), 1, 1)


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
