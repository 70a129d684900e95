"""What enters the last block of an image encoder, for Grad-CAM."""

from collections.abc import Callable

import torch
from torch import Tensor, nn


def with_activations(embed: Callable[[Tensor], Tensor], norm: nn.Module, image: Tensor) -> tuple[Tensor, Tensor]:
    """Embeddings of images, and the patches after a layer norm on their way, from one pass.

    Nothing of the model changes: a hook sits on that norm for the time of the pass.

    Args:
        embed: the model's own, of a class token that comes first.
        norm: the first layer norm of the last block, whose output is (B,1+P,W).
        image: (B,3,H,W) in [0, 1].

    Returns:
        Embeddings (B,D), and the activations (B,P,W) that they were computed from.

    Source:
        The place is that of the vision-based variant in Yu et al., TGA-ZSR, arXiv 2410.21802, table 5.
    """
    count, seen = len(image), []

    def look(_module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        # Cut out and put back, so that the embedding depends on the very tensor that is returned. The rest of the
        # batch is company that the small encoder gives to one image alone.
        patches = output[:count, 1:]
        seen.append(patches)
        return torch.cat([torch.cat([output[:count, :1], patches], 1), output[count:]])

    handle = norm.register_forward_hook(look)
    try:
        embedding = embed(image)
    finally:
        handle.remove()
    return embedding, seen[0]
