"""What every dual encoder looks like from outside: pixels in [0, 1] and texts in, embeddings out."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rgbdsod.errors import UsageError

Colour = tuple[float, float, float]


class Normalization(NamedTuple):
    """Mean and standard deviation that an image encoder's pixels are normalised with, in RGB order."""

    mean: Colour
    std: Colour


NORMALIZATIONS: Mapping[str, Normalization] = {
    "clip": Normalization((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)),
    "imagenet": Normalization((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}
"""By name: CLIP's own, and ImageNet's, which PMG-AFT's release uses."""


class ClipModel(nn.Module):
    """Base of all dual encoders; a subclass answers `visual`, `encode_image`, `encode_text`, and tokens if it can.

    Resizing and normalisation happen inside, so an attack on the input is an attack on pixels.

    Args:
        name: what a run records, such as "ViT-B-32-quickgelu".
        width: D, of the space that images and texts share.
        side: height and width in pixels that the image encoder works at.
        grid: rows and columns of its patches, row-major; (0, 0) where it has no patch tokens.
        activation: "gelu" or "quickgelu"; weights of one give other numbers under the other, without any error.
        normalization: a name of `NORMALIZATIONS`.
        has_tokens: whether `embed_tokens` works.
        has_attention: whether `embed_attention` works.
        has_activations: whether `embed_activations` works.

    Attributes:
        scale: exp(logit_scale), the factor of the cosine similarities; a plain number that is never trained.

    Raises:
        UsageError: unknown normalisation.
    """

    scale: float

    def __init__(
        self,
        *,
        name: str,
        width: int,
        side: int,
        grid: tuple[int, int],
        activation: str,
        normalization: str = "clip",
        has_tokens: bool = True,
        has_attention: bool = False,
        has_activations: bool = False,
    ) -> None:
        super().__init__()
        if normalization not in NORMALIZATIONS:
            raise UsageError(f'no normalization "{normalization}"; use {" or ".join(NORMALIZATIONS)}')
        self.name, self.width, self.side, self.grid = name, width, side, grid
        self.activation, self.normalization = activation, normalization
        self.has_tokens, self.has_attention, self.has_activations = has_tokens, has_attention, has_activations
        colours = NORMALIZATIONS[normalization]
        self.register_buffer("mean", torch.tensor(colours.mean)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(colours.std)[:, None, None], persistent=False)

    @property
    def visual(self) -> nn.Module:
        """The image encoder; only its parameters ever train."""
        raise NotImplementedError

    @property
    def network(self) -> nn.Module:
        """The module whose state dict names all weights; those of the image encoder start with "visual."."""
        return self

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all weights, in hexadecimal; computed anew at each call."""
        return state_hash(self.network.state_dict())

    @property
    def text_fingerprint(self) -> str:
        """SHA-256 of all weights but the image encoder's: models that share it have the same text features."""
        return state_hash({k: v for k, v in self.network.state_dict().items() if not k.startswith("visual.")})

    def load_network(self, state: Mapping[str, Tensor]) -> None:
        """Load all weights into `network`; a subclass that keeps numbers of them, such as `scale`, reads them again."""
        self.network.load_state_dict(state)

    def embed(self, image: Tensor) -> Tensor:
        """Embeddings of images.

        Args:
            image: (B,3,H,W) in [0, 1], of any size.

        Returns:
            (B,D), not normalised.

        Raises:
            UsageError: not a batch of floating-point RGB images.
        """
        return self.encode_image(self.prepare(image))

    def embed_tokens(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings and patch tokens of images, from one pass.

        Args:
            image: (B,3,H,W) in [0, 1], of any size.

        Returns:
            What `embed` returns, and the patch tokens (B,P,D) after the last layer norm and the projection.

        Raises:
            UsageError: this encoder has no patch tokens; or see `embed`.
        """
        raise UsageError(f"{self.name} has no patch tokens; use a method without text-guided attention, such as tecoa")

    def embed_attention(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings of images and where their class token looks, from one pass.

        Args:
            image: (B,3,H,W) in [0, 1], of any size.

        Returns:
            What `embed` returns, and the attention weights of the last block from the class token to the patches,
            (B,heads,P), with gradient.

        Raises:
            UsageError: this encoder has no such weights; or see `embed`.
        """
        raise UsageError(f"{self.name} has no class-token attention; use attention=text, or another encoder")

    def embed_activations(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings of images and what enters the last block, from one pass; see `with_activations`.

        Args:
            image: (B,3,H,W) in [0, 1], of any size.

        Returns:
            What `embed` returns, and the activations of the patches (B,P,W) that it was computed from, with gradient.

        Raises:
            UsageError: this encoder has no such patches; or see `embed`.
        """
        raise UsageError(f"{self.name} shows no activations of patches, which gradcam needs; use attention=text")

    def attention_weights(self, image: Tensor) -> Tensor:
        """The second part of `embed_attention`, (B,heads,P)."""
        return self.embed_attention(image)[1]

    def encode_image(self, prepared: Tensor) -> Tensor:
        """Embeddings (B,D) of what `prepare` returns."""
        raise NotImplementedError

    def encode_text(self, texts: Sequence[str]) -> Tensor:
        """Features of texts (N,D), not normalised and without gradient."""
        raise NotImplementedError

    def prepare(self, image: Tensor) -> Tensor:
        """The image encoder's input: resized unless it has its size already, and normalised.

        Args:
            image: (B,3,H,W) in [0, 1].

        Returns:
            (B,3,side,side): bicubic interpolation with half-pixel centres, without antialiasing.

        Raises:
            UsageError: not a batch of floating-point RGB images.
        """
        _check_image(self.name, image)
        size = (self.side, self.side)
        if image.shape[-2:] != size:
            image = F.interpolate(image, size, mode="bicubic", align_corners=False)
        return (image - self.get_buffer("mean")) / self.get_buffer("std")

    def train(self, mode: bool = True) -> Self:
        """Set the mode of the image encoder; everything else stays in evaluation mode."""
        super().train(False)
        self.visual.train(mode)
        self.training = mode
        return self


def state_hash(state: Mapping[str, Tensor]) -> str:
    """SHA-256 of tensors with their names, types and shapes, in hexadecimal; the order does not matter."""
    digest = hashlib.sha256()
    for name in sorted(state):
        value = state[name].detach().cpu().contiguous()
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _check_image(name: str, image: Tensor) -> None:
    if image.ndim != 4 or image.shape[1] != 3 or 0 in image.shape:
        hint = {1: "; repeat a grey image's channel three times", 4: "; drop the alpha channel"}
        channels = image.shape[1] if image.ndim == 4 else None
        raise UsageError(
            f"{name} got an image of shape {tuple(image.shape)}, expected (B, 3, H, W){hint.get(channels or 0, '')}"
        )
    if not image.is_floating_point():
        raise UsageError(f"{name} got {image.dtype}, expected floating point in [0, 1] (divide 8-bit images by 255)")
