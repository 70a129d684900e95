"""TGA-ZSR: attacked images are looked at where the original model looks at clean ones."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from rgbdsod.defenses.zero_shot.attention import (
    TokenNorm,
    complement,
    gradcam,
    minmax,
    text_attention,
    vision_attention,
)
from rgbdsod.defenses.zero_shot.contrast import class_logits, class_losses
from rgbdsod.defenses.zero_shot.encoder import Encoder, activation_encoder, attention_encoder, check_tokens
from rgbdsod.defenses.zero_shot.methods.base import Method, summed
from rgbdsod.defenses.zero_shot.parts import Parts, TuningBatch, labels_of
from rgbdsod.defenses.zero_shot.resizing import Distance, image_distance, map_distance, resized
from rgbdsod.defenses.zero_shot.settings import check_choice, check_weights
from rgbdsod.errors import UsageError

Attention = Literal["text", "vision", "gradcam"]
"""Patches against the class's text; what the class token looks at; what raises the highest class score."""

Order = Literal["minmax-resize", "resize-minmax"]
"""Whether maps are stretched to [0, 1] before they are resized, as released, or after, as in the paper."""


@dataclass(frozen=True)
class TgaZsr(Method):
    """Cross-entropy of attacked images, and two distances between attention maps.

    Args:
        alpha: weight of attention refinement: attacked images, now, against clean ones, originally.
        beta: weight of the model constraint: clean images, now and originally.
        side: of the square that maps are compared on, in pixels; Euclidean distances grow with it.
        distance: between maps. The published weights belong to "l2"; "rms" is the same at weights `side` times larger.
        token_norm: see `rgbdsod.defenses.zero_shot.attention.TokenNorm`.
        order: see `Order`; only the first avoids maps of the full size.
        attention: which maps. None of them is cut off from the gradient, as those of the published ablation were.

    Source: Yu et al., "Text-Guided Attention is All You Need for Zero-Shot Robustness in Vision-Language Models",
    NeurIPS 2024, arXiv 2410.21802.
    """

    name: ClassVar[str] = "tga-zsr"
    alpha: float = 0.08
    beta: float = 0.05
    side: int = 224
    distance: Distance = "l2"
    token_norm: TokenNorm = "tokens"
    order: Order = "minmax-resize"
    attention: Attention = "text"

    def __post_init__(self) -> None:
        check_weights(alpha=self.alpha, beta=self.beta)
        check_choice("distance", self.distance, Distance)
        check_choice("token_norm", self.token_norm, TokenNorm)
        check_choice("order", self.order, Order)
        check_choice("attention", self.attention, Attention)
        if self.side < 1:
            raise UsageError(f"side {self.side} has no pixels; pass 1 or more, such as 224")

    def check(self, parts: Parts) -> None:
        """Classes, and an encoder that shows what the maps are made of."""
        super().check(parts)
        if self.attention == "text":
            check_tokens(parts.encoder, self.name)
        elif self.attention == "vision":
            attention_encoder(parts.encoder)
        else:
            activation_encoder(parts.encoder)

    def reference(self, parts: Parts, batch: TuningBatch) -> Tensor:
        """The original model's maps on the patches' grid, (B,P); float16 will do to keep them."""
        # Grad-CAM needs a graph from some input even in a model that learns nothing.
        cam = self.attention == "gradcam"
        with torch.set_grad_enabled(cam):
            image = batch.image.detach().requires_grad_() if cam else batch.image
            return self.look(parts.guide, image, parts, labels_of(batch), train=False)[1].detach()

    def loss(self, parts: Parts, batch: TuningBatch, moved: Tensor) -> dict[str, Tensor]:
        """Terms "adversarial", "refinement" and "constraint"; one of weight 0 is left out, and the pass it needs."""
        labels, scale = labels_of(batch), parts.encoder.scale
        if not self.alpha and not self.beta:
            adversarial = class_losses(parts.encoder.embed(moved), parts.classes, labels, scale).mean()
            return {"total": adversarial, "adversarial": adversarial}
        images, repeats = (torch.cat([moved, batch.image]), 2) if self.beta else (moved, 1)
        features, maps = self.look(parts.encoder, images, parts, labels.repeat(repeats), train=True)
        count = len(moved)
        kept = self.reference(parts, batch) if batch.reference is None else batch.reference
        losses = class_losses(features[:count], parts.classes, labels, scale)
        terms = {"adversarial": (1.0, losses.mean())}
        if self.alpha:
            terms["refinement"] = (self.alpha, self.apart(parts.encoder, maps[:count], kept).mean())
        if self.beta:
            terms["constraint"] = (self.beta, self.apart(parts.encoder, maps[count:], kept).mean())
        return {"total": summed(*terms.values()), **{name: term for name, (_, term) in terms.items()}}

    def look(
        self, encoder: Encoder, image: Tensor, parts: Parts, labels: Tensor, *, train: bool
    ) -> tuple[Tensor, Tensor]:
        """Embeddings (B,D) and maps on the grid (B,P), from one pass.

        Args:
            encoder: which looks.
            image: (B,3,H,W).
            parts: for the texts.
            labels: the class that each image is looked at for, (B,).
            train: whether the maps are to be learned from.
        """
        if self.attention == "text":
            features, patches = encoder.embed_tokens(image)
            raw = text_attention(features, patches, parts.classes[labels], token_norm=self.token_norm)
        elif self.attention == "vision":
            features, weights = attention_encoder(encoder).embed_attention(image)
            raw = vision_attention(weights)
        else:
            features, activations = activation_encoder(encoder).embed_activations(image)
            best = class_logits(features, parts.classes, encoder.scale).amax(1)
            raw = gradcam(activations, best.sum(), create_graph=train)
        return features, minmax(raw) if self.order == "minmax-resize" else raw

    def apart(self, encoder: Encoder, maps: Tensor, kept: Tensor) -> Tensor:
        """The distance (B,) between maps that `look` gave."""
        if self.order == "minmax-resize":
            return map_distance(maps, kept, encoder.grid, side=self.side, distance=self.distance)
        one, other = (minmax(resized(value.to(maps), encoder.grid, self.side)) for value in (maps, kept))
        return image_distance(one, other, self.distance)


@dataclass(frozen=True)
class CompTga(TgaZsr):
    """Comp-TGA: the map of the class's text, less that of the text which denies the class.

    Args:
        alpha, beta, side, distance, token_norm: see `TgaZsr`.
        order: "minmax-resize" alone.
        attention: "text" alone.

    Source: the extension of arXiv 2410.21802 (TPAMI 2026).
    """

    name: ClassVar[str] = "comp-tga"
    alpha: float = 0.10
    beta: float = 0.07

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.attention != "text" or self.order != "minmax-resize":
            raise UsageError('comp-tga compares two texts before resizing; use attention "text", order "minmax-resize"')

    def check(self, parts: Parts) -> None:
        """As `TgaZsr`, and texts that deny the classes."""
        super().check(parts)
        if parts.negated is None:
            raise UsageError('comp-tga needs texts such as "This is not a photo of a ..."; pass negated=(C,D)')

    def look(
        self, encoder: Encoder, image: Tensor, parts: Parts, labels: Tensor, *, train: bool
    ) -> tuple[Tensor, Tensor]:
        """Embeddings (B,D) and two maps on the grid, (B,2,P), from one pass."""
        features, patches = encoder.embed_tokens(image)
        texts = (parts.classes, parts.classes if parts.negated is None else parts.negated)
        maps = [minmax(text_attention(features, patches, own[labels], token_norm=self.token_norm)) for own in texts]
        return features, torch.stack(maps, 1)

    def apart(self, encoder: Encoder, maps: Tensor, kept: Tensor) -> Tensor:
        """The distance (B,) of the products, which are not linear in the maps and so are built at full size."""
        one, other = (self._product(encoder, value.to(maps)) for value in (maps, kept))
        return image_distance(one, other, self.distance)

    def _product(self, encoder: Encoder, maps: Tensor) -> Tensor:
        own, denied = (resized(part, encoder.grid, self.side) for part in maps.unbind(1))
        return complement(own, denied)
