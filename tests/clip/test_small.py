"""The built-in dual encoder: tokens of one pass, words, what trains, and how it is loaded."""

import shutil

import pytest
import torch
from torch import Tensor

from rgbdsod.clip import SmallClip, load_clip, save_checkpoint
from rgbdsod.clip import load as loading
from rgbdsod.clip.small import SmallNetwork
from rgbdsod.errors import UsageError, WeightsError


@pytest.fixture(scope="module")
def model() -> SmallClip:
    torch.manual_seed(0)
    return SmallClip(SmallNetwork()).eval()


@pytest.fixture
def x() -> Tensor:
    return torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def test_tokens_and_attention_come_with_the_embedding_in_one_pass(model, x):
    passes = []
    handle = model.visual.register_forward_hook(lambda *_: passes.append(1))
    embedding, tokens = model.embed_tokens(x)
    again, attention = model.embed_attention(x)
    handle.remove()
    assert len(passes) == 2
    assert torch.equal(embedding, model.embed(x)) and torch.equal(embedding, again)
    assert tokens.shape == (3, 16, 64) and attention.shape == (3, 4, 16)
    assert (attention > 0).all() and (attention.sum(-1) < 1).all(), "the rest is the class token's look at itself"
    assert torch.autograd.grad(attention.square().sum(), model.visual.class_token)[0].abs().sum() > 0


def test_only_the_image_encoder_trains(model):
    trained = {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert trained == {f"dual.visual.{name}" for name, _ in model.visual.named_parameters()}
    assert model.scale == pytest.approx(1 / 0.07)
    assert 0.12e6 < sum(weight.numel() for weight in model.visual.parameters()) < 0.135e6


def test_texts_do_not_change_each_other(model):
    texts = ["a red circle", "this is a photo of a striped star", "a ring on a olive background"]
    together = model.encode_text(texts)
    assert together.shape == (3, 64) and not together.requires_grad
    for text, feature in zip(texts, together, strict=True):
        assert torch.allclose(model.encode_text([text])[0], feature, atol=1e-6)
    assert torch.equal(model.encode_text(["A Red, CIRCLE."]), model.encode_text(["a red circle"]))


def test_unknown_words_have_vectors_of_their_own(model):
    texts = ["a photo of a airplane", "a photo of a ship", "a photo of a star"]
    assert model.unknown_words(texts) == ["airplane", "ship"]
    one, other, _ = model.encode_text(texts)
    assert not torch.allclose(one, other, atol=1e-3)
    assert torch.allclose(model.encode_text(texts[:1])[0], one, atol=1e-6), "drawn from the spelling alone"
    torch.manual_seed(9)
    assert torch.allclose(SmallClip(model.dual).encode_text(texts)[1], other)


def test_texts_that_cannot_be_read(model):
    with pytest.raises(UsageError, match="has no words; write what the image shows"):
        model.encode_text(["a star", "?!"])
    with pytest.raises(UsageError, match="has 15 words, but this encoder reads 14"):
        model.encode_text(["word " * 15])


def test_weights_change_fingerprints(model):
    torch.manual_seed(1)
    other = SmallClip(SmallNetwork())
    assert model.fingerprint != other.fingerprint and model.text_fingerprint != other.text_fingerprint
    other.load_network(model.network.state_dict())
    assert (model.fingerprint, model.text_fingerprint) == (other.fingerprint, other.text_fingerprint)
    with torch.no_grad():
        other.visual.class_token += 1
        assert model.fingerprint != other.fingerprint and model.text_fingerprint == other.text_fingerprint
        other.dual.log_scale += 1
    other.load_network(other.network.state_dict())
    assert other.scale == pytest.approx(model.scale * torch.e)


def test_loading_the_built_in_weights():
    model = load_clip(device="cpu")
    assert not model.training and model.fingerprint == load_clip("clip", device="cpu").fingerprint
    state = torch.get_rng_state()
    load_clip(device="cpu")
    assert torch.equal(torch.get_rng_state(), state)
    assert loading.ASSET.stat().st_size < 2e6


def test_built_in_weights_that_are_gone_or_changed(tmp_path, monkeypatch):
    monkeypatch.setattr(loading, "ASSET", tmp_path / "clip.safetensors")
    with pytest.raises(WeightsError, match="are not in this installation; install rgbdsod again"):
        load_clip(device="cpu")
    real = loading.Path(loading.__file__).parent / "assets"
    for name in ("clip.safetensors", "clip.json"):
        shutil.copy(real / name, tmp_path)
    content = bytearray((tmp_path / "clip.safetensors").read_bytes())
    content[-1] ^= 1
    (tmp_path / "clip.safetensors").write_bytes(content)
    with pytest.raises(WeightsError, match="not the original"):
        load_clip(device="cpu")


def test_tuned_weights_come_back(tmp_path):
    model = load_clip(device="cpu")
    with torch.no_grad():
        model.visual.class_token += 1
    save_checkpoint(model, tmp_path / "tuned.safetensors", method="tecoa", settings={})
    again = load_clip("clip.demo", tmp_path / "tuned.safetensors", device="cpu")
    assert again.fingerprint == model.fingerprint != load_clip(device="cpu").fingerprint
