"""All that a hardening method may ask of a dual encoder."""

from typing import Protocol, runtime_checkable

from torch import Tensor

from rgbdsod.errors import UsageError


class Encoder(Protocol):
    """An image encoder whose embeddings are compared with those of texts."""

    @property
    def name(self) -> str:
        """What messages call it."""
        ...

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of its patches, row-major."""
        ...

    @property
    def width(self) -> int:
        """D, of the space that images and texts share."""
        ...

    @property
    def scale(self) -> float:
        """What cosine similarities are multiplied with; never trained."""
        ...

    @property
    def has_tokens(self) -> bool:
        """Whether `embed_tokens` works."""
        ...

    def embed(self, image: Tensor) -> Tensor:
        """Embeddings (B,D), not normalised, of images (B,3,H,W) in [0, 1]."""
        ...

    def embed_tokens(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """From one pass the embeddings (B,D) and the patch tokens (B,P,D) in the joint space."""
        ...


@runtime_checkable
class AttentionEncoder(Protocol):
    """An encoder that shows where its class token looks."""

    def embed_attention(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """From one pass the embeddings (B,D) and the last block's weights from class token to patches (B,heads,P)."""
        ...


@runtime_checkable
class ActivationEncoder(Protocol):
    """An encoder that shows what enters its last block."""

    def embed_activations(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """From one pass the embeddings (B,D), and the patches' activations (B,P,W) that they were computed from.

        The activations are those after the first layer norm of the last block.
        """
        ...


def attention_encoder(encoder: Encoder) -> AttentionEncoder:
    """The encoder, if its class token has attention weights.

    Raises:
        UsageError: it has none.
    """
    if isinstance(encoder, AttentionEncoder) and getattr(encoder, "has_attention", True):
        return encoder
    raise UsageError(f'{encoder.name} has no class-token attention; use attention "text", or another encoder')


def activation_encoder(encoder: Encoder) -> ActivationEncoder:
    """The encoder, if it shows its activations.

    Raises:
        UsageError: it does not.
    """
    if isinstance(encoder, ActivationEncoder) and getattr(encoder, "has_activations", True):
        return encoder
    raise UsageError(
        f'{encoder.name} shows no activations of patches; use attention "text" or "vision", or another encoder'
    )


def check_tokens(encoder: Encoder, method: str) -> None:
    """Refuse an encoder without patch tokens.

    Raises:
        UsageError: so.
    """
    if not encoder.has_tokens:
        raise UsageError(
            f"method {method} compares patch tokens with texts, and {encoder.name} has none; "
            "use an encoder with patches such as ViT-B-32-quickgelu, or a method without tokens such as tecoa"
        )
