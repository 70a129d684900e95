"""Vectors of words: learned for the words of the captions, drawn from the spelling for all others."""

import hashlib
import math
import re
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from rgbdsod.datasets.glyph_words import WORDS
from rgbdsod.errors import UsageError

CONTEXT = 14
"""Words that the encoder reads."""

_WORD = re.compile(r"[a-z0-9]+")


class Vocabulary(nn.Module):
    """Word vectors.

    A word outside the vocabulary gets a random vector that its spelling decides. So any class name can be encoded, two
    names never become one, and nothing is claimed to be known about them.

    Args:
        width: of the vectors.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width, self.context = width, CONTEXT
        self.known = {word: row for row, word in enumerate(WORDS)}
        self.vectors = nn.Parameter(torch.randn(len(WORDS), width) / math.sqrt(width))

    def forward(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Vectors (N,14,width), and which of them stand for no word: bool (N,14).

        Raises:
            UsageError: a text without words, or with too many.
        """
        sentences = [_words(text) for text in texts]
        strangers = self.unknown(texts)
        row = self.known | {word: len(self.known) + place for place, word in enumerate(strangers)}
        table = torch.cat([self.vectors, *(self._drawn(word)[None] for word in strangers)])
        rows = [[row[word] for word in words] + [-1] * (self.context - len(words)) for words in sentences]
        index = torch.tensor(rows, device=table.device)
        return table[index.clamp(min=0)], index < 0

    def unknown(self, texts: Sequence[str]) -> list[str]:
        """Words of the texts that are not in the vocabulary, sorted."""
        return sorted({word for text in texts for word in _words(text)} - set(self.known))

    def _drawn(self, word: str) -> Tensor:
        seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "little") >> 1
        drawn = torch.randn(self.width, generator=torch.Generator().manual_seed(seed)) / math.sqrt(self.width)
        return drawn.to(self.vectors)


def _words(text: str) -> list[str]:
    words = _WORD.findall(text.lower())
    if not words:
        raise UsageError(f'the text "{text}" has no words; write what the image shows')
    if len(words) > CONTEXT:
        raise UsageError(f'"{text}" has {len(words)} words, but this encoder reads {CONTEXT}; shorten the text')
    return words
