"""Where an image encoder looks: one value for each patch, with gradient."""

from typing import Literal

import torch
from torch import Tensor

from rgbdsod.errors import UsageError
from rgbdsod.fusion.alignment.precision import full_precision

TokenNorm = Literal["tokens", "channels", "none"]
"""What divides the tokens: one norm per channel over all tokens, one per token over its channels, or nothing."""

GUARD = 1e-12
"""The least that is divided by: a constant map stays finite."""


@full_precision
def text_attention(
    embedding: Tensor, patches: Tensor, text: Tensor, *, token_norm: TokenNorm = "tokens", guard: float = GUARD
) -> Tensor:
    """Similarity of each patch with a text.

    Args:
        embedding: the class token in the joint space, (B,D); it counts in the norm over tokens.
        patches: patch tokens in the joint space, (B,P,D).
        text: features of each image's text, (B,D); their length does not matter after `minmax`.
        token_norm: what divides the tokens.
        guard: the least norm.

    Returns:
        (B,P), not yet in [0, 1].

    Source:
        Yu et al., TGA-ZSR, NeurIPS 2024, arXiv 2410.21802; the norm over tokens is that of its released code.
    """
    if token_norm == "tokens":
        # Dividing the text instead of all patches is the same product with P times fewer divisions.
        text = text / torch.cat([embedding[:, None], patches], 1).norm(dim=1).clamp_min(guard)
    elif token_norm == "channels":
        patches = patches / patches.norm(dim=2, keepdim=True).clamp_min(guard)
    return (patches @ text[:, :, None])[:, :, 0]


@full_precision
def vision_attention(weights: Tensor) -> Tensor:
    """Where the class token looks: the mean over heads of its attention to the patches.

    Args:
        weights: of the last block, (B,heads,P), or whole (B,heads,1+P,1+P) with the class token first.

    Returns:
        (B,P).

    Raises:
        UsageError: another shape.
    """
    if weights.ndim == 4 and weights.shape[2] == weights.shape[3]:
        weights = weights[:, :, 0, 1:]
    if weights.ndim != 3:
        raise UsageError(f"attention weights are {tuple(weights.shape)}; pass (B,heads,P) or (B,heads,1+P,1+P)")
    return weights.mean(1)


def gradcam(activations: Tensor, score: Tensor, *, create_graph: bool = True) -> Tensor:
    """Activations weighed by how much they raise a score; a loss on the result reaches the weights through both.

    Args:
        activations: of the patches, (B,P,W), part of the score's graph.
        score: one number, the sum over images of what is to be explained.
        create_graph: whether the weights themselves are differentiable; False saves memory where nothing is trained.

    Returns:
        (B,P), 0 or more.

    Raises:
        UsageError: the score does not depend on the activations.

    Source:
        Selvaraju et al., Grad-CAM, arXiv 1610.02391, section 3.
    """
    if not score.requires_grad or not activations.requires_grad:
        raise UsageError("Grad-CAM differentiates a score by activations, but these carry no gradient")
    (slopes,) = torch.autograd.grad(score, activations, create_graph=create_graph, retain_graph=True, allow_unused=True)
    if slopes is None:
        raise UsageError("Grad-CAM differentiates a score by activations, but the score does not depend on these")
    return _weighed(activations, slopes)


@full_precision
def _weighed(activations: Tensor, slopes: Tensor) -> Tensor:
    return (activations * slopes.mean(1, keepdim=True)).sum(2).relu()


@full_precision
def minmax(maps: Tensor, *, guard: float = GUARD) -> Tensor:
    """Each map stretched to [0, 1]; a constant one becomes 0.

    Args:
        maps: (B,...), each sample for itself over all that follows.
        guard: the least range.
    """
    flat = maps.flatten(1)
    low, high = flat.amin(1, keepdim=True), flat.amax(1, keepdim=True)
    return ((flat - low) / (high - low).clamp_min(guard)).view_as(maps)


def complement(own: Tensor, negated: Tensor) -> Tensor:
    """What speaks for a text and not for its negation: the product of one map and the other's complement.

    Args:
        own: maps in [0, 1] for the text; negated: for its negation, of the same shape.

    Source:
        Comp-TGA, the extension of arXiv 2410.21802.
    """
    return own * (1 - negated)
