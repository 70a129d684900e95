"""Checkpoints of our own: they say what they are, and are refused wherever that does not fit."""

import json
import warnings
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

pytest.importorskip("open_clip")

from clip_tiny import SIDE, tiny_model

from rgbdsod.clip import OpenClipModel, load_checkpoint, save_checkpoint
from rgbdsod.clip.small import SmallClip, SmallNetwork
from rgbdsod.errors import UsageError, WeightsError


@pytest.fixture
def image() -> Tensor:
    return torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def model() -> OpenClipModel:
    return tiny_model()


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A checkpoint of ours: the weights of `tiny_model` with a changed image encoder."""
    tuned = tiny_model()
    with torch.no_grad():
        tuned.visual.get_parameter("proj").mul_(1.5)
    path = tmp_path / "runs" / "tuned.safetensors"
    save_checkpoint(tuned, path, method="tecoa", settings={"eps": 1 / 255, "steps": 2})
    return path


def test_our_own_checkpoint_comes_back_with_its_description(model: OpenClipModel, own: Path, image: Tensor) -> None:
    before = model.embed(image)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        origin = load_checkpoint(model, own)
    torch.testing.assert_close(model.embed(image), 1.5 * before)
    assert (origin.method, origin.activation, origin.part) == ("tecoa", "quickgelu", "visual")
    assert origin.settings == {"eps": 1 / 255, "steps": 2}
    assert origin.layout == "rgbdsod checkpoint (tecoa of tiny-quickgelu)"
    assert not list(own.parent.glob("*.tmp"))


def changed(path: Path, **claims: str) -> None:
    """The same file with another description."""
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    save_file(load_file(path), path, metadata | claims)


def test_our_own_checkpoint_under_the_other_activation_is_refused(own: Path) -> None:
    with pytest.raises(WeightsError, match=r'trained with quickgelu, but tiny computes with gelu.*"tiny-quickgelu"'):
        load_checkpoint(tiny_model(name="tiny", quick_gelu=False), own)


def test_our_own_checkpoint_on_other_pixels_is_refused(own: Path) -> None:
    with pytest.raises(WeightsError, match=r'tuned with normalization clip.*normalization="clip"'):
        load_checkpoint(tiny_model(normalization="imagenet"), own)


def test_our_own_checkpoint_beside_another_text_encoder_is_refused(own: Path) -> None:
    model = tiny_model(7)
    before = model.fingerprint
    with pytest.raises(WeightsError, match="the text encoders differ"):
        load_checkpoint(model, own)
    assert model.fingerprint == before


def test_our_own_checkpoint_with_changed_numbers_is_refused(model: OpenClipModel, own: Path) -> None:
    changed(own, visual_sha256="0" * 64)
    with pytest.raises(WeightsError, match="another SHA-256"):
        load_checkpoint(model, own)


def test_our_own_checkpoint_with_a_broken_description_is_refused(model: OpenClipModel, own: Path) -> None:
    changed(own, settings="{")
    with pytest.raises(WeightsError, match="lacks part of its description"):
        load_checkpoint(model, own)


def test_saving_refuses_what_it_cannot_write(model: OpenClipModel, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"does not end in .safetensors; name the checkpoint x.safetensors"):
        save_checkpoint(model, tmp_path / "x.pt", method="tecoa", settings={})
    with pytest.raises(UsageError, match="cannot be written as JSON"):
        save_checkpoint(model, tmp_path / "x.safetensors", method="tecoa", settings={"eps": torch.ones(1)})
    assert not list(tmp_path.iterdir())


def test_the_description_can_be_read_by_anyone(own: Path) -> None:
    with safe_open(own, "pt") as file:
        metadata = file.metadata()
    assert metadata["method"] == "tecoa"
    assert json.loads(metadata["settings"])["steps"] == 2
    assert set(metadata) >= {"architecture", "activation", "normalization", "visual_sha256", "text_sha256"}


def test_the_built_in_encoder_writes_and_reads_the_same_form(
    tmp_path: Path, image: Tensor, model: OpenClipModel
) -> None:
    path = tmp_path / "small.safetensors"
    tuned, fresh = (SmallClip(SmallNetwork()) for _ in range(2))
    fresh.network.load_state_dict(tuned.network.state_dict())
    with torch.no_grad():
        next(tuned.visual.parameters()).mul_(1.5)
    save_checkpoint(tuned, path, method="fare", settings={})
    assert load_checkpoint(fresh, path).method == "fare"
    assert torch.equal(fresh.embed(image), tuned.embed(image))
    with pytest.raises(WeightsError, match=r'trained with gelu, but tiny-quickgelu .*; load the model as "clip.demo"'):
        load_checkpoint(model, path)
