"""open_clip's models behind our interface: the same numbers, tokens from one pass, nothing of the caller's changed."""

import copy
from collections.abc import Sequence
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

open_clip = pytest.importorskip("open_clip")

from clip_tiny import (  # noqa: E402
    CONTEXT,
    GRID,
    HEADS,
    SIDE,
    TEXTS,
    WIDTH,
    attention_pooled,
    mean_pooled,
    normalised,
    residual,
    tiny_model,
    tiny_network,
)

from rgbdsod.clip import NORMALIZATIONS, OpenClipModel  # noqa: E402
from rgbdsod.errors import UsageError  # noqa: E402


@pytest.fixture(scope="module")
def model() -> OpenClipModel:
    return tiny_model()


@pytest.fixture
def image() -> Tensor:
    return torch.rand(3, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


def wrapped(network: nn.Module, name: str = "tiny") -> OpenClipModel:
    return OpenClipModel(network, open_clip.SimpleTokenizer(context_length=CONTEXT), name=name).eval()


class Calls:
    """Counts the passes of a module."""

    def __init__(self, module: nn.Module) -> None:
        self.count = 0
        self._handle = module.register_forward_hook(self._seen)

    def _seen(self, *_: Any) -> None:
        self.count += 1

    def __enter__(self) -> "Calls":
        return self

    def __exit__(self, *_: object) -> None:
        self._handle.remove()


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_embeddings_are_open_clips(image: Tensor, normalization: str) -> None:
    model = tiny_model(normalization=normalization)
    assert torch.equal(model.embed(image), model.network.encode_image(normalised(image, normalization)))


def test_text_features_are_open_clips_and_have_no_gradient(model: OpenClipModel) -> None:
    features = model.encode_text(TEXTS)
    tokens = open_clip.SimpleTokenizer(context_length=CONTEXT)(TEXTS)
    assert torch.equal(features, model.network.encode_text(tokens))
    assert features.shape == (2, WIDTH)
    assert not features.requires_grad


def test_logits_are_open_clips(model: OpenClipModel, image: Tensor) -> None:
    tokens = open_clip.SimpleTokenizer(context_length=CONTEXT)(TEXTS)
    expected, _ = model.network.get_logits(normalised(image), tokens)
    logits = model.scale * F.normalize(model.embed(image), dim=-1) @ F.normalize(model.encode_text(TEXTS), dim=-1).T
    torch.testing.assert_close(logits, expected)


def test_tokens_are_those_of_forward_intermediates_and_projected(model: OpenClipModel, image: Tensor) -> None:
    out = model.network.visual.forward_intermediates(
        normalised(image), indices=1, normalize_intermediates=True, output_fmt="NLC"
    )
    embedding, tokens = model.embed_tokens(image)
    assert torch.equal(embedding, out["image_features"])
    assert torch.equal(tokens, out["image_intermediates"][0] @ model.network.visual.proj)
    assert tokens.shape == (3, GRID * GRID, WIDTH)
    assert model.grid == (GRID, GRID)


def test_attention_is_that_of_the_last_block(model: OpenClipModel, image: Tensor) -> None:
    """Against the definition: softmax of queries times keys, taken from the packed projection."""
    visual = model.network.visual
    before = visual.transformer.forward_intermediates(visual._embeds(normalised(image)), indices=2)[1][0]
    block = visual.transformer.resblocks[-1]
    packed = block.ln_1(before) @ block.attn.in_proj_weight.T + block.attn.in_proj_bias
    query, key, _ = packed.view(3, 1 + GRID * GRID, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
    expected = (query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5).softmax(-1)[:, :, 0, 1:]
    embedding, weights = model.embed_attention(image)
    torch.testing.assert_close(weights, expected)
    assert torch.equal(embedding, model.embed(image))
    assert torch.equal(model.attention_weights(image), weights)


def test_activations_are_what_enters_the_last_block(model: OpenClipModel, image: Tensor) -> None:
    """Of the patches, and the very tensor that the embedding was computed from."""
    visual = model.network.visual
    before = visual.transformer.forward_intermediates(visual._embeds(normalised(image)), indices=2)[1][0]
    embedding, activations = model.embed_activations(image)
    torch.testing.assert_close(activations, visual.transformer.resblocks[-1].ln_1(before)[:, 1:])
    assert torch.equal(embedding, model.embed(image))
    (slopes,) = torch.autograd.grad(embedding.sum(), activations)
    assert bool((slopes != 0).any())


@pytest.mark.parametrize("method", ["embed", "embed_tokens", "embed_attention", "embed_activations"])
def test_one_pass_whatever_is_asked(model: OpenClipModel, image: Tensor, method: str) -> None:
    block = model.network.visual.transformer.resblocks[0]
    with Calls(model.visual) as passes, Calls(block) as blocks, Calls(model.network.transformer) as texts:
        getattr(model, method)(image)
    assert (passes.count, blocks.count, texts.count) == (1, 1, 0)


@pytest.mark.parametrize("method", ["embed", "embed_tokens", "embed_attention", "embed_activations"])
def test_the_input_gets_a_gradient_from_frozen_weights(image: Tensor, method: str) -> None:
    model = tiny_model().requires_grad_(False)
    image.requires_grad_()
    out = getattr(model, method)(image)
    value = out if isinstance(out, Tensor) else out[1]
    (gradient,) = torch.autograd.grad(value.square().sum(), image)
    assert gradient.dtype == torch.float32
    assert bool((gradient != 0).any())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_nothing_of_the_callers_is_changed(image: Tensor) -> None:
    network = tiny_network().train()
    network.visual.ln_pre.eval()
    network.visual.proj.requires_grad_(False)
    before = copy.deepcopy(network.state_dict())
    modes = [part.training for part in network.modules()]
    settings = dict(vars(network.visual))
    model = OpenClipModel(network, open_clip.SimpleTokenizer(context_length=CONTEXT), name="mine")
    model.embed_tokens(image)
    model.embed_attention(image)
    model.embed_activations(image)
    assert isinstance(network.encode_image(image), Tensor)
    assert network.visual.output_tokens is False
    assert vars(network.visual) == settings
    assert [part.training for part in network.modules()] == modes
    assert [p.requires_grad for p in network.parameters()].count(False) == 1
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not any(part._forward_hooks for part in network.modules())


def test_tokens_follow_the_weights(image: Tensor) -> None:
    """The face that returns tokens must not keep weights of its own: after an update, a copy, a move."""
    model = tiny_model()
    twin = copy.deepcopy(model)
    with torch.no_grad():
        model.visual.get_parameter("conv1.weight").mul_(2)
    assert torch.equal(model.embed_tokens(image)[0], model.embed(image))
    assert torch.equal(twin.embed_tokens(image)[0], twin.embed(image))
    assert not torch.equal(twin.embed(image), model.embed(image))
    double = model.double()
    assert torch.equal(double.embed_tokens(image.double())[0], double.embed(image.double()))
    assert len(list(model.parameters())) == len(list(model.network.parameters()))


def test_another_size_is_resized_without_antialiasing(model: OpenClipModel) -> None:
    image = torch.rand(2, 3, 20, 44, generator=torch.Generator().manual_seed(2))
    resized = F.interpolate(image, (SIDE, SIDE), mode="bicubic", align_corners=False, antialias=False)
    assert torch.equal(model.embed(image), model.embed(resized))


@pytest.mark.parametrize(
    ("build", "reason"),
    [(attention_pooled, "it pools by attention"), (mean_pooled, 'by "avg"'), (residual, "ModifiedResNet")],
)
def test_encoders_without_tokens_embed_and_say_why_they_have_none(build: Any, reason: str, image: Tensor) -> None:
    model = wrapped(build())
    assert not model.has_tokens
    assert not model.has_attention
    assert not model.has_activations
    assert torch.equal(model.embed(image), model.network.encode_image(normalised(image)))
    for method in (model.embed_tokens, model.embed_attention, model.embed_activations):
        with pytest.raises(UsageError, match=f"tiny has no patch tokens.*{reason}.*use a method without it"):
            method(image)


def test_layer_norm_after_pooling_is_refused_for_tokens(image: Tensor) -> None:
    model = wrapped(tiny_network(final_ln_after_pool=True))
    with pytest.raises(UsageError, match="its last layer norm follows the pooling"):
        model.embed_tokens(image)


def test_blocks_with_attention_of_their_own_have_tokens_but_no_weights(image: Tensor) -> None:
    model = wrapped(tiny_network(block_type="custom"))
    assert model.embed_tokens(image)[1].shape == (3, GRID * GRID, WIDTH)
    with pytest.raises(UsageError, match="attention=text"):
        model.embed_attention(image)


@pytest.mark.parametrize(("quick", "activation"), [(True, "quickgelu"), (False, "gelu")])
def test_the_activation_is_recognised(quick: bool, activation: str) -> None:
    assert tiny_model(quick_gelu=quick).activation == activation


def test_training_mode_reaches_the_image_encoder_alone() -> None:
    model = tiny_model().train()
    assert all(part.training for part in model.visual.modules())
    assert not model.network.transformer.training
    assert not model.network.token_embedding.training


@pytest.mark.parametrize(
    ("shape", "hint"), [((2, 1, 32, 32), "grey"), ((2, 4, 32, 32), "alpha"), ((3, 32, 32), r"\(B, 3, H, W\)")]
)
def test_images_of_another_kind_are_refused(model: OpenClipModel, shape: Sequence[int], hint: str) -> None:
    with pytest.raises(UsageError, match=hint):
        model.embed(torch.zeros(*shape))


def test_bytes_are_refused(model: OpenClipModel) -> None:
    with pytest.raises(UsageError, match="divide 8-bit images by 255"):
        model.embed(torch.zeros(2, 3, 32, 32, dtype=torch.uint8))


def test_an_unknown_normalization_is_refused() -> None:
    with pytest.raises(UsageError, match='no normalization "none"; use clip or imagenet'):
        tiny_model(normalization="none")


def test_images_must_be_square() -> None:
    with pytest.raises(UsageError, match="32 x 64; only square"):
        wrapped(tiny_network(image_size=(32, 64)))
