"""Where an image encoder looks, in each of the ways that it can show."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from rgbdsod.clip import ClipModel
from rgbdsod.defenses.zero_shot.contrast import class_logits
from rgbdsod.defenses.zero_shot.methods.tga_zsr import TgaZsr
from rgbdsod.defenses.zero_shot.parts import Parts
from rgbdsod.errors import UsageError

Attention = Literal["text", "vision", "gradcam"]
"""Patches against the text of the true class; what the class token looks at; what raises the highest class score."""


@dataclass(frozen=True, eq=False)
class Sight:
    """What an encoder makes of some images.

    Args:
        predicted: the most similar class, int64 (B,).
        score: its probability (B,).
        maps: by kind, (B,P) in [0, 1].
    """

    predicted: Tensor
    score: Tensor
    maps: dict[Attention, Tensor]


def kinds_of(model: ClipModel, wanted: Sequence[str] | None = None) -> tuple[Attention, ...]:
    """The kinds of attention to look at.

    Args:
        model: whose image encoder looks.
        wanted: names of `Attention`; None: all that the encoder can show.

    Raises:
        UsageError: an unknown kind, one that this encoder has not, or an encoder that has none.
    """
    obstacles = {kind: _obstacle(model, kind) for kind in get_args(Attention)}
    if wanted is None:
        found = tuple(kind for kind, obstacle in obstacles.items() if obstacle is None)
        if not found:
            raise UsageError(f"{obstacles['text']}; attention maps need a vision transformer with a class token")
        return found
    if not wanted:
        raise UsageError(f"--attention is empty; use {', '.join(obstacles)}")
    for name in wanted:
        if name not in obstacles:
            raise UsageError(f'no attention "{name}"; use {", ".join(obstacles)}')
        if (obstacle := obstacles[name]) is not None:
            raise UsageError(f"--attention {name}: {obstacle}")
    return tuple(kind for kind in obstacles if kind in wanted)


def look(model: ClipModel, texts: Tensor, images: Tensor, labels: Tensor, kinds: Sequence[Attention]) -> Sight:
    """Classes and maps of some images, one pass for each kind.

    Args:
        model: whose image encoder looks.
        texts: unit features of the classes' texts (C,D).
        images: (B,3,H,W) in [0, 1].
        labels: the true classes, int64 (B,).
        kinds: of attention.
    """
    parts = Parts(model, texts=texts)
    maps = {}
    for kind in kinds:
        # Grad-CAM differentiates inside; the graph begins at the image, since all weights are frozen.
        with torch.set_grad_enabled(kind == "gradcam"):
            image = images.clone().requires_grad_(kind == "gradcam")
            maps[kind] = TgaZsr(attention=kind).look(model, image, parts, labels, train=False)[1].detach()
    with torch.no_grad():
        score, predicted = F.softmax(class_logits(model.embed(images), texts, model.scale), 1).max(1)
    return Sight(predicted, score, maps)


def _obstacle(model: ClipModel, kind: Attention) -> str | None:
    """Why an encoder shows no attention of a kind, None if it does."""
    if kind == "text":
        return None if model.has_tokens else f"{model.name} has no patch tokens"
    if kind == "vision":
        return None if model.has_attention else f"{model.name} has no class-token attention"
    return None if model.has_activations else f"{model.name} shows no activations of patches"
