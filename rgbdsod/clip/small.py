"""The built-in dual encoder: 0.18 M parameters, made for 32 x 32 images and short English captions."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from rgbdsod.clip.activations import with_activations
from rgbdsod.clip.encoder import ClipModel
from rgbdsod.clip.words import Vocabulary

SIDE = 32
WIDTH = 64
CHANNELS = (24, 48, WIDTH)
GRID = (4, 4)
BLOCKS = 2
HEADS = 4
HIDDEN = 192
SCALE = 1 / 0.07
"""Factor of the similarities before training."""


class Seen(NamedTuple):
    """What one pass of the image encoder gives.

    Attributes:
        embedding: of the class token, (B,D).
        tokens: of the patches, after the last layer norm and the projection, (B,P,D).
        attention: of the last block, from the class token to the patches, (B,heads,P).
    """

    embedding: Tensor
    tokens: Tensor
    attention: Tensor


class Attention(nn.Module):
    """Multi-head self-attention that also says where it looked."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.out = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor, hidden: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Mixed tokens (B,N,D) and weights (B,heads,N,N); `hidden` (B,N) marks tokens that nobody looks at."""
        count, length, _ = x.shape
        query, key, value = self.qkv(x).view(count, length, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
        logits = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])
        if hidden is not None:
            logits = logits.masked_fill(hidden[:, None, None], -torch.inf)
        weights = logits.softmax(-1)
        mixed: Tensor = self.out((weights @ value).transpose(1, 2).reshape(count, length, -1))
        return mixed, weights


class Block(nn.Module):
    """A pre-norm transformer block."""

    def __init__(self) -> None:
        super().__init__()
        self.norm_attention, self.norm_mlp = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.attention = Attention()
        self.mlp = nn.Sequential(nn.Linear(WIDTH, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, WIDTH))

    def forward(self, x: Tensor, hidden: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Tokens (B,N,D) and the attention's weights (B,heads,N,N)."""
        mixed, weights = self.attention(self.norm_attention(x), hidden)
        x = x + mixed
        return x + self.mlp(self.norm_mlp(x)), weights


class ImageEncoder(nn.Module):
    """Three strided convolutions to 4 x 4 patches, a class token, two transformer blocks, a projection."""

    def __init__(self) -> None:
        super().__init__()
        stem: list[nn.Module] = []
        for before, after in zip((3, *CHANNELS), CHANNELS, strict=False):
            stem += [nn.Conv2d(before, after, 3, 2, 1), nn.GroupNorm(1, after), nn.GELU()]
        self.stem = nn.Sequential(*stem)
        self.class_token = nn.Parameter(torch.randn(WIDTH) / math.sqrt(WIDTH))
        self.places = nn.Parameter(torch.randn(1 + GRID[0] * GRID[1], WIDTH) / math.sqrt(WIDTH))
        self.blocks = nn.ModuleList(Block() for _ in range(BLOCKS))
        self.norm = nn.LayerNorm(WIDTH)
        self.projection = nn.Linear(WIDTH, WIDTH, bias=False)

    def forward(self, image: Tensor) -> Seen:
        """One pass over normalised images (B,3,32,32)."""
        patches = self.stem(image).flatten(2).transpose(1, 2)
        x = torch.cat([self.class_token.expand(len(image), 1, -1), patches], 1) + self.places
        for block in self.blocks:
            x, weights = block(x)
        tokens = self.projection(self.norm(x))
        return Seen(tokens[:, 0], tokens[:, 1:], weights[:, :, 0, 1:])


class TextEncoder(nn.Module):
    """Word vectors, one transformer block, the mean over the words, a projection."""

    def __init__(self) -> None:
        super().__init__()
        self.words = Vocabulary(WIDTH)
        self.places = nn.Parameter(torch.randn(self.words.context, WIDTH) / math.sqrt(WIDTH))
        self.block = Block()
        self.norm = nn.LayerNorm(WIDTH)
        self.projection = nn.Linear(WIDTH, WIDTH, bias=False)

    def forward(self, texts: Sequence[str]) -> Tensor:
        """Features (N,D) of texts."""
        vectors, hidden = self.words(texts)
        x, _ = self.block(vectors + self.places, hidden)
        x = self.norm(x).masked_fill(hidden[..., None], 0.0)
        features: Tensor = self.projection(x.sum(1) / (~hidden).sum(1, keepdim=True))
        return features


class SmallNetwork(nn.Module):
    """Both encoders and the scale, as they are trained together and saved."""

    def __init__(self) -> None:
        super().__init__()
        self.visual = ImageEncoder()
        self.text = TextEncoder()
        self.log_scale = nn.Parameter(torch.tensor(math.log(SCALE)))


class SmallClip(ClipModel):
    """The dual encoder that needs no extra package and no download.

    Args:
        network: with its weights; its text encoder and scale are frozen.
        name: what a run records.
    """

    def __init__(self, network: SmallNetwork, name: str = "clip.demo") -> None:
        super().__init__(
            name=name, width=WIDTH, side=SIDE, grid=GRID, activation="gelu", has_attention=True, has_activations=True
        )
        self.dual = network
        network.text.requires_grad_(False)
        network.log_scale.requires_grad_(False)
        self.scale = network.log_scale.exp().item()

    @property
    def visual(self) -> nn.Module:
        """The image encoder."""
        return self.dual.visual

    @property
    def network(self) -> nn.Module:
        """Both encoders."""
        return self.dual

    def unknown_words(self, texts: Sequence[str]) -> list[str]:
        """Words that training never saw: their vectors are random, and so is what the model says about them."""
        return self.dual.text.words.unknown(texts)

    def encode_image(self, prepared: Tensor) -> Tensor:
        """Embeddings (B,D)."""
        return self._see(prepared).embedding

    def embed_tokens(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings (B,D) and patch tokens (B,16,D), from one pass."""
        seen = self._see(self.prepare(image))
        return seen.embedding, seen.tokens

    def embed_attention(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings (B,D) and where the class token looks (B,heads,16), from one pass."""
        seen = self._see(self.prepare(image))
        return seen.embedding, seen.attention

    def embed_activations(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings (B,D) and what enters the last block of the patches (B,16,W), from one pass."""
        norm = self.dual.visual.get_submodule(f"blocks.{BLOCKS - 1}.norm_attention")
        return with_activations(self.embed, norm, image)

    @torch.no_grad()
    def encode_text(self, texts: Sequence[str]) -> Tensor:
        """Features (N,D), not normalised.

        Raises:
            UsageError: a text without words, or with more than the encoder reads.
        """
        features: Tensor = self.dual.text(texts)
        return features

    def load_network(self, state: Mapping[str, Tensor]) -> None:
        """Load all weights, and read the scale off them."""
        super().load_network(state)
        self.scale = self.dual.log_scale.exp().item()

    def _see(self, prepared: Tensor) -> Seen:
        # On a CPU torch convolves one image alone by another algorithm, which rounds differently; so it gets company.
        if len(prepared) == 1:
            return Seen(*(part[:1] for part in self.dual.visual(prepared.expand(2, -1, -1, -1))))
        seen: Seen = self.dual.visual(prepared)
        return seen
