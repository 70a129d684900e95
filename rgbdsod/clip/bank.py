"""Text features of a data set's prompts, encoded once."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor

from rgbdsod.clip.encoder import ClipModel
from rgbdsod.errors import UsageError
from rgbdsod.foreign.tensors import read_tensors

CHUNK = 256
"""Prompts that are encoded at a time."""


class TextCache:
    """Text features by content: the weights of the text encoder and the list of texts, never their number or folder.

    Args:
        folder: where features are also kept on disk; None: in memory only.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        self.folder = None if folder is None else Path(folder)
        self._kept: dict[str, Tensor] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def find(self, key: str) -> Tensor | None:
        """Features kept under a key, None if there are none; a damaged file counts as none."""
        file = self._file(key)
        if key not in self._kept and file is not None and file.is_file():
            try:
                self._kept[key] = read_tensors(file)[0]["features"]
            except (OSError, ValueError, KeyError):
                return None
        return self._kept.get(key)

    def keep(self, key: str, features: Tensor) -> None:
        """Keep features (N,D), in one step also on disk."""
        self._kept[key] = features
        if (file := self._file(key)) is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            temporary = file.with_suffix(".tmp")
            save_file({"features": features.contiguous()}, temporary)
            temporary.replace(file)

    def _file(self, key: str) -> Path | None:
        return None if self.folder is None else self.folder / f"text-{key}.safetensors"


class TextBank:
    """Unit text features of prompts, one for each class; no gradient, float32, on the model's device.

    Args:
        model: encodes the prompts, 256 at a time.
        prompts: one text for each class; or several for each class, whose unit features are averaged.
        cache: where features of the same texts under the same text encoder are found and kept; None: encode anew.

    Attributes:
        texts: the prompts, one tuple for each class.
        features: (C,D), each of length 1.

    Raises:
        UsageError: no prompt, an empty one, or classes with different numbers of prompts.

    Example:
        >>> from rgbdsod.clip import TextBank, load_clip
        >>> TextBank(load_clip(device="cpu"), ["a red circle", "a blue star"]).features.shape
        torch.Size([2, 64])
    """

    def __init__(
        self, model: ClipModel, prompts: Sequence[str] | Sequence[Sequence[str]], cache: TextCache | None = None
    ) -> None:
        self.texts = tuple((text,) if isinstance(text, str) else tuple(text) for text in prompts)
        _check(self.texts)
        flat = [text for texts in self.texts for text in texts]
        key = _key(model, flat)
        features = cache.find(key) if cache is not None else None
        if features is None:
            features = _encode(model, flat)
            if cache is not None:
                cache.keep(key, features)
        grouped = features.to(model.device).view(len(self.texts), -1, features.shape[1])
        self.features = F.normalize(grouped.mean(1), dim=1)

    def __len__(self) -> int:
        return len(self.texts)


def _key(model: ClipModel, texts: Iterable[str]) -> str:
    content = json.dumps([model.text_fingerprint, *texts])
    return hashlib.sha256(content.encode()).hexdigest()


@torch.no_grad()
def _encode(model: ClipModel, texts: Sequence[str]) -> Tensor:
    """Unit features (N,D), float32, on the CPU."""
    chunks = [model.encode_text(texts[at : at + CHUNK]).float().cpu() for at in range(0, len(texts), CHUNK)]
    return F.normalize(torch.cat(chunks), dim=1)


def _check(texts: tuple[tuple[str, ...], ...]) -> None:
    if not texts:
        raise UsageError("no prompts; pass one text for each class")
    if any(not text.strip() for prompts in texts for text in prompts) or not all(texts):
        raise UsageError("a prompt is empty; write a text for each class")
    if len({len(prompts) for prompts in texts}) > 1:
        raise UsageError("classes have different numbers of prompts; use the same templates for all")
