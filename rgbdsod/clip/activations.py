"""What enters the last block of an image encoder, for Grad-CAM."""

import torch
from torch import Tensor, nn

from rgbdsod.clip.encoder import ClipModel
from rgbdsod.clip.openclip import OpenClipModel
from rgbdsod.clip.small import SmallClip
from rgbdsod.errors import UsageError


class Activations:
    """A dual encoder that also shows its patches after the first layer norm of the last block.

    Nothing of the model changes: a hook sits on that norm for the time of one pass.

    Args:
        model: the built-in one, or a vision transformer of open_clip.

    Raises:
        UsageError: an encoder without such a norm.

    Source:
        The place is that of the vision-based variant in Yu et al., TGA-ZSR, arXiv 2410.21802, table 5.
    """

    has_tokens = False

    def __init__(self, model: ClipModel) -> None:
        self._model, self._norm = model, _norm_of(model)
        self.name, self.grid, self.width, self.scale = model.name, model.grid, model.width, model.scale

    def embed(self, image: Tensor) -> Tensor:
        """Embeddings (B,D)."""
        return self._model.embed(image)

    def embed_tokens(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings (B,D) and patch tokens (B,P,D)."""
        return self._model.embed_tokens(image)

    def embed_activations(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings (B,D), and the activations of the patches (B,P,W) that they were computed from, in one pass."""
        count, seen = len(image), []

        def look(_module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
            # Cut out and put back, so that the embedding depends on the very tensor that is returned. The rest of the
            # batch is company that the small encoder gives to one image alone.
            patches = output[:count, 1:]
            seen.append(patches)
            return torch.cat([torch.cat([output[:count, :1], patches], 1), output[count:]])

        handle = self._norm.register_forward_hook(look)
        try:
            embedding = self._model.embed(image)
        finally:
            handle.remove()
        return embedding, seen[0]


def _norm_of(model: ClipModel) -> nn.Module:
    visual = model.visual
    found: object = None
    if isinstance(model, SmallClip):
        found = model.dual.visual.blocks[-1].norm_attention
    elif isinstance(model, OpenClipModel) and model.has_tokens:
        found = getattr(visual.transformer.resblocks[-1], "ln_1", None)  # type: ignore[union-attr, index]
    if not isinstance(found, nn.Module):
        raise UsageError(f"{model.name} shows no activations of patches, which gradcam needs; leave gradcam out")
    return found
