"""Any open_clip model, from a local file, behind the interface of `ClipModel`."""

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from rgbdsod.clip.activations import with_activations
from rgbdsod.clip.checkpoint import load_checkpoint
from rgbdsod.clip.encoder import ClipModel
from rgbdsod.errors import UsageError, WeightsError
from rgbdsod.models.device import resolve_device

Tokenizer = Callable[[list[str]], Tensor]


def load_open_clip(
    architecture: str = "ViT-B-32-quickgelu",
    weights: str | Path | None = None,
    *,
    normalization: str = "clip",
    activation: str | None = None,
    device: str = "auto",
    seed: int = 0,
) -> "OpenClipModel":
    """An architecture of open_clip with weights from a local file; nothing is fetched.

    Args:
        architecture: open_clip's name. OpenAI's weights and all that is tuned from them need one in "-quickgelu".
        weights: a file with both encoders, such as OpenAI's `ViT-B-32.pt`; None draws random weights.
        normalization: "clip", or "imagenet" for the numbers of PMG-AFT's release.
        activation: see `load_checkpoint`.
        device: see `resolve_device`.
        seed: of random weights.

    Returns:
        The model in evaluation mode; only its image encoder's parameters ask for gradients.

    Raises:
        UsageError: open_clip is not installed or lacks the architecture, or something would have to be fetched.
        WeightsError: the file does not fit; see `load_checkpoint`.
    """
    open_clip = _open_clip()
    config = _offline_config(open_clip, architecture)
    path = None if weights is None else _local(open_clip, architecture, weights)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = _build(open_clip, config)
    text = config["text_cfg"]
    length, options = text.get("context_length", 77), text.get("tokenizer_kwargs", {})
    tokenizer = open_clip.SimpleTokenizer(context_length=length, **options)
    model = OpenClipModel(network, tokenizer, name=architecture, normalization=normalization)
    if path is not None:
        origin = load_checkpoint(model, path, activation=activation)
        if origin.part == "visual":
            raise WeightsError(
                f"{path} holds an image encoder alone; load the whole model that it was tuned from with weights=..., "
                "then pass this file to load_checkpoint"
            )
    model.requires_grad_(False)
    model.visual.requires_grad_(True)
    return model.to(resolve_device(device)).eval()


class OpenClipModel(ClipModel):
    """A model that open_clip built, which stays the caller's: none of its settings or flags is changed.

    Args:
        network: with `visual`, `encode_text` and `logit_scale`, as open_clip's models have them.
        tokenizer: takes texts, returns token numbers (N,L).
        name: what a run records.
        normalization: "clip" or "imagenet".

    Raises:
        UsageError: the image encoder works on images that are not square.
    """

    def __init__(self, network: nn.Module, tokenizer: Tokenizer, *, name: str, normalization: str = "clip") -> None:
        visual: Any = network.visual
        has_tokens = _obstacle(visual) is None
        super().__init__(
            name=name,
            width=_encode_text(network, tokenizer, [""]).shape[1],
            side=_side(name, visual),
            grid=tuple(visual.grid_size) if has_tokens else (0, 0),
            activation=_activation(network),
            normalization=normalization,
            has_tokens=has_tokens,
            has_attention=has_tokens and _plain_attention(visual),
            has_activations=has_tokens and isinstance(_last_norm(visual), nn.Module),
        )
        self.dual: Any = network
        self.tokenizer = tokenizer
        self.scale = _scale(network)
        # A second face of the image encoder: it shares all parameters, buffers, parts and hooks, but returns tokens
        # too. Kept in a tuple, so that it is not registered as a part of its own.
        face = copy(visual)
        face.output_tokens = True
        self._face = (face,)

    @property
    def visual(self) -> nn.Module:
        """The image encoder."""
        visual: nn.Module = self.dual.visual
        return visual

    @property
    def network(self) -> nn.Module:
        """open_clip's model."""
        network: nn.Module = self.dual
        return network

    def load_network(self, state: Mapping[str, Tensor]) -> None:
        """Load all weights, and read the scale off them."""
        super().load_network(state)
        self.scale = _scale(self.network)

    def encode_image(self, prepared: Tensor) -> Tensor:
        """Embeddings (B,D)."""
        pooled = self.visual(prepared)
        features: Tensor = pooled[0] if isinstance(pooled, tuple) else pooled  # CoCa adds its tokens
        return features

    def encode_text(self, texts: Sequence[str]) -> Tensor:
        """Features (N,D), not normalised and without gradient; texts beyond the context are cut."""
        return _encode_text(self.network, self.tokenizer, texts)

    def embed_tokens(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings (B,D) and patch tokens (B,P,D), from one pass.

        Raises:
            UsageError: the encoder has no such tokens.
        """
        self._check_tokens()
        pooled, tokens = self._face[0](self.prepare(image))
        return pooled, tokens @ self.dual.visual.proj

    def embed_attention(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings (B,D) and the last block's attention from the class token to the patches (B,heads,P), one pass.

        Raises:
            UsageError: the encoder has no such attention.
        """
        self._check_tokens()
        if not self.has_attention:
            raise UsageError(f"{self.name} has attention blocks of its own kind; use attention=text")
        block = self.dual.visual.transformer.resblocks[-1]
        seen: list[Tensor] = []
        handle = block.ln_1.register_forward_hook(lambda _module, _inputs, output: seen.append(output))
        try:
            embedding = self.encode_image(self.prepare(image))
        finally:
            handle.remove()
        tokens = seen[0]
        _, weights = block.attn(tokens[:, :1], tokens, tokens, need_weights=True, average_attn_weights=False)
        return embedding, weights[:, :, 0, 1:]

    def embed_activations(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings (B,D) and what enters the last block of the patches (B,P,W), from one pass.

        Raises:
            UsageError: the encoder has no such patches.
        """
        self._check_tokens()
        if not self.has_activations:
            return super().embed_activations(image)
        return with_activations(self.embed, _last_norm(self.dual.visual), image)

    def _check_tokens(self) -> None:
        obstacle = _obstacle(self.dual.visual)
        if obstacle is not None:
            raise UsageError(
                f"{self.name} has no patch tokens for text-guided attention ({obstacle}); use a method without it "
                "(tecoa, pmg-aft, fare), or a vision transformer with a class token, such as ViT-B-32-quickgelu"
            )


def _open_clip() -> Any:
    try:
        import open_clip
    except ImportError as error:
        raise UsageError("open_clip is not installed: pip install 'rgbdsod[clip]'") from error
    return open_clip


def _offline_config(open_clip: Any, architecture: str) -> dict[str, Any]:
    """The settings of an architecture that needs no network."""
    if ":" in architecture:
        raise UsageError(
            f'"{architecture}" would be fetched from the network; name an architecture, such as ViT-B-32-quickgelu, '
            "and pass a local file as weights"
        )
    names = open_clip.list_models()
    if architecture not in names:
        close = get_close_matches(architecture, names, 3) or ["ViT-B-32-quickgelu"]
        raise UsageError(f'open_clip has no architecture "{architecture}"; did you mean {" or ".join(close)}?')
    config: dict[str, Any] = open_clip.get_model_config(architecture)
    text = config["text_cfg"]
    if "hf_model_name" in text or "hf_tokenizer_name" in text or "siglip" in architecture.lower():
        raise UsageError(
            f"{architecture} reads texts with a tokenizer that is fetched from the network; build the model with "
            "open_clip yourself and pass both to OpenClipModel(network, tokenizer, name=...)"
        )
    return config


def _local(open_clip: Any, architecture: str, weights: str | Path) -> Path:
    """The path of a weights file; a tag of open_clip is refused, since it stands for a download."""
    path = Path(weights)
    is_tag = str(weights) in open_clip.list_pretrained_tags_by_model(architecture)
    if not path.exists() and (is_tag or not path.suffix):
        raise UsageError(
            f'"{weights}" is no local file, and tags are not fetched from the network; download the weights yourself '
            'and pass their path, such as weights="ViT-B-32.pt"'
        )
    return path


def _build(open_clip: Any, config: Mapping[str, Any]) -> nn.Module:
    """The network with random weights; open_clip's own factory would also write to the log and look for weights."""
    arguments = {key: value for key, value in config.items() if key != "custom_text"}
    if "multimodal_cfg" in config:
        kind = open_clip.CoCa
    else:
        kind = open_clip.CustomTextCLIP if config.get("custom_text") else open_clip.CLIP
    network: nn.Module = kind(**arguments)
    return network


@torch.no_grad()
def _encode_text(network: Any, tokenizer: Tokenizer, texts: Sequence[str]) -> Tensor:
    device = network.logit_scale.device
    features: Tensor = network.encode_text(tokenizer(list(texts)).to(device))
    return features


def _scale(network: Any) -> float:
    return float(network.logit_scale.detach().exp())


def _activation(network: nn.Module) -> str:
    return "quickgelu" if any(type(part).__name__ == "QuickGELU" for part in network.modules()) else "gelu"


def _side(name: str, visual: Any) -> int:
    size = visual.image_size
    height, width = (size, size) if isinstance(size, int) else size
    if height != width:
        raise UsageError(f"{name} works on images of {height} x {width}; only square ones are supported")
    return int(height)


def _obstacle(visual: Any) -> str | None:
    """Why an image encoder's tokens are not in the space of its class token, None if they are."""
    if not hasattr(visual, "class_embedding"):
        return f"its image encoder is a {type(visual).__name__}"
    if visual.attn_pool is not None:
        return "it pools by attention"
    if visual.pool_type != "tok":
        return f'it pools by "{visual.pool_type}", not by a class token'
    if visual.final_ln_after_pool:
        return "its last layer norm follows the pooling"
    return None


def _last_norm(visual: Any) -> Any:
    """The first layer norm of the last block, None where blocks are of another kind."""
    return getattr(visual.transformer.resblocks[-1], "ln_1", None)


def _plain_attention(visual: Any) -> bool:
    return isinstance(getattr(visual.transformer.resblocks[-1], "attn", None), nn.MultiheadAttention)
