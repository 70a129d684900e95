"""The dual encoder of a run: architectures of open_clip, tuned image encoders, and what they were tuned from."""

import copy
from pathlib import Path

import pytest
import torch

open_clip = pytest.importorskip("open_clip")

from clip_tiny import CONTEXT, GRID, SIDE, WHOLE, WIDTH, tiny_network  # noqa: E402

from rgbdsod.datasets import glyph_set  # noqa: E402
from rgbdsod.errors import UsageError, WeightsError  # noqa: E402
from rgbdsod.run import evaluate_zero_shot, open_dual_encoder  # noqa: E402
from rgbdsod.run.clip.texts import texts_of  # noqa: E402

NAME = "ViT-B-32-quickgelu"

pytestmark = pytest.mark.filterwarnings("ignore:.*does not say its activation")


@pytest.fixture(autouse=True)
def _tiny_config(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gives the architecture the size of the tiny network."""
    vision = {"layers": 2, "width": 32, "head_width": 16, "patch_size": SIDE // GRID, "image_size": SIDE}
    text = {"context_length": CONTEXT, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1}
    config = {"embed_dim": WIDTH, "quick_gelu": True, "vision_cfg": vision, "text_cfg": text}
    monkeypatch.setattr(open_clip, "get_model_config", lambda _: copy.deepcopy(config))


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """A model before tuning."""
    path = tmp_path / "whole.pt"
    WHOLE["open_clip state dict"](tiny_network(1), path)
    return path


@pytest.fixture
def visual(tmp_path: Path) -> Path:
    """An image encoder alone, as TeCoA's release has it."""
    path = tmp_path / "visual.pt"
    torch.save({"vision_encoder_state_dict": tiny_network(2).visual.state_dict()}, path)
    return path


def test_a_tuned_image_encoder_and_what_it_was_tuned_from(whole: Path, visual: Path) -> None:
    encoder = open_dual_encoder(NAME, visual, whole, device="cpu", keep_original=True)
    assert encoder.original is not None
    assert encoder.origin is not None
    assert encoder.origin.part == "visual"
    for name, value in tiny_network(1).visual.state_dict().items():
        assert torch.equal(encoder.original[name], value)
    for name, value in tiny_network(2).visual.state_dict().items():
        assert torch.equal(encoder.model.visual.state_dict()[name], value)
    result = evaluate_zero_shot(encoder, glyph_set("textures", 4), attacks="pgd", steps=1, interpolate="0,1")
    assert [row["eps"] for row in result.rows] == [1 / 255] * 2
    assert encoder.note is None


def test_prompts_of_an_ensemble(whole: Path) -> None:
    encoder = open_dual_encoder(NAME, whole, device="cpu")
    texts = texts_of(glyph_set("textures", 4), encoder.model, "ensemble")
    assert {len(own) for own in texts} == {80}
    assert "a bad photo of a plain." in texts[0]


def test_random_weights_are_told() -> None:
    encoder = open_dual_encoder(NAME, device="cpu")
    assert encoder.note == f"{NAME} has random weights: its numbers mean nothing"
    assert encoder.record()["source"] == "random weights"


def test_files_that_do_not_fit_together(whole: Path, visual: Path) -> None:
    with pytest.raises(WeightsError, match=r"holds an image encoder alone; .* as --original FILE"):
        open_dual_encoder(NAME, visual, device="cpu")
    with pytest.raises(UsageError, match=f"--original clip.demo is no {NAME}"):
        open_dual_encoder(NAME, visual, "clip.demo", device="cpu")
    with pytest.raises(UsageError, match=r"--interpolate needs the weights that .* was tuned from"):
        open_dual_encoder(NAME, whole, device="cpu", keep_original=True)
    with pytest.raises(UsageError, match=r"--normalization imagenet: clip.demo was trained with clip"):
        open_dual_encoder("clip.demo", device="cpu", normalization="imagenet")
