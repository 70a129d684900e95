"""Attention maps of a dual encoder: clean, attacked, and of a second encoder under its own attack."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from cli_schema import problems
from clip_tuning import small_model

from rgbdsod.clip import OpenClipModel, TextBank, ZeroShot
from rgbdsod.defenses import Hardening, InnerAttack, TuningBatch, hardening_method
from rgbdsod.errors import UsageError
from rgbdsod.report import report
from rgbdsod.run.clip.attention import attention_maps
from rgbdsod.run.clip.looking import kinds_of, look

SCHEMA = json.loads(
    (Path(__file__).resolve().parents[2] / "rgbdsod" / "cli" / "schemas" / "clip-attention-1.json").read_text()
)
SMALL = {"data": "glyphs:pairs", "n_samples": 3, "steps": 2}


@pytest.fixture(scope="module")
def model():
    return small_model(0)


@pytest.fixture(scope="module")
def found(model, tmp_path_factory):
    out = tmp_path_factory.mktemp("attention") / "run"
    return attention_maps(model, repaired=small_model(1), out=out, **SMALL)


def _images(count=3):
    return torch.rand(count, 3, 32, 32, generator=torch.Generator().manual_seed(4))


def test_grad_cam_sees_the_very_activations_and_leaves_no_hook(model):
    image = _images(2).requires_grad_()
    embedding, activations = model.embed_activations(image)
    assert torch.equal(embedding, model.embed(image))
    (slopes,) = torch.autograd.grad(embedding.sum(), activations)
    assert slopes.abs().sum() > 0
    assert all(not module._forward_hooks for module in model.modules())


def test_hardening_learns_through_grad_cam(model):
    """On the built-in architecture: the maps of model and original come from one pass each, with gradient."""
    texts = TextBank(model, ["a red circle", "a blue star"]).features
    original = small_model(1)
    how = Hardening(
        hardening_method("tga-zsr", attention="gradcam"), small_model(0), original=original, texts=texts,
        attack=InnerAttack(eps=8 / 255, steps=1, step_size=8 / 255),
    )  # fmt: skip
    batch = how.complete(TuningBatch(_images(), list("abc"), labels=torch.tensor([0, 1, 1])))
    assert batch.reference.shape == (3, 16)
    losses = how.step(batch, seed=0, step=0)
    (slope,) = torch.autograd.grad(
        losses["refinement"] + losses["constraint"], how.parts.encoder.dual.visual.stem[0].weight
    )
    assert slope.abs().sum() > 0


def test_maps_are_those_of_any_batch(model):
    bank = TextBank(model, ["a red circle", "a blue star"])
    labels = torch.tensor([0, 1, 1])
    together = look(model, bank.features, _images(), labels, kinds_of(model))
    alone = look(model, bank.features, _images()[:1], labels[:1], kinds_of(model))
    assert set(together.maps) == {"text", "vision", "gradcam"}
    for kind, maps in together.maps.items():
        assert maps.shape == (3, 16)
        assert torch.allclose(maps[:1], alone.maps[kind], atol=1e-5)
        assert maps.amin() == 0
        assert maps.amax() <= 1
    logits = ZeroShot(model, bank)(_images())
    assert torch.equal(together.predicted, logits.argmax(1))
    assert torch.allclose(together.score, logits.softmax(1).amax(1))


def test_an_encoder_without_tokens_is_told_so_in_one_sentence(model):
    open_clip = pytest.importorskip("open_clip")
    vision = open_clip.model.CLIPVisionCfg(layers=(1, 1, 1, 1), width=8, image_size=32)
    text = open_clip.model.CLIPTextCfg(context_length=8, vocab_size=32, width=16, heads=2, layers=1)
    network = open_clip.model.CLIP(16, vision, text)
    blind = OpenClipModel(network, lambda texts: torch.zeros(len(texts), 8, dtype=torch.long), name="RN-tiny")
    with pytest.raises(UsageError, match="RN-tiny has no patch tokens; attention maps need a vision transformer"):
        kinds_of(blind)
    with pytest.raises(UsageError, match="RN-tiny has no patch tokens"):
        blind.embed_activations(_images())
    with pytest.raises(UsageError, match="RN-tiny shows no activations of patches"):
        Hardening(hardening_method("tga-zsr", attention="gradcam"), blind, texts=torch.eye(16)[:2])
    with pytest.raises(UsageError, match="--attention vision: RN-tiny has no class-token attention"):
        kinds_of(blind, ["vision"])
    with pytest.raises(UsageError, match='no attention "heat"; use text, vision, gradcam'):
        kinds_of(model, ["heat"])


def test_an_attack_that_may_not_move_leaves_attention_where_it_was(model):
    still = attention_maps(model, repaired=model, eps=0.0, **SMALL)
    for row in still.metrics["distances"]:
        assert row["l2"]["value"] == 0
        assert row["cosine"]["value"] == pytest.approx(0, abs=1e-6)
    accuracy = still.metrics["accuracy"]
    assert len(set(accuracy.values())) == 1


def test_every_view_has_a_distance_from_the_original_clean_map(found):
    assert problems(found.document(), SCHEMA) == []
    assert {(row["kind"], row["view"]) for row in found.metrics["distances"]} == {
        (kind, view) for kind in ("text", "vision", "gradcam") for view in ("attacked", "repaired_clean", "repaired")
    }
    row = found.samples[0]
    assert 0 < row["text_attacked_l2"] <= 224
    for kind in ("text", "vision", "gradcam"):
        mean = next(own for own in found.metrics["changes"] if own["kind"] == kind)["l2"]["value"]
        per_image = [own[f"{kind}_repaired_l2"] - own[f"{kind}_attacked_l2"] for own in found.samples]
        assert mean == pytest.approx(np.mean(per_image))


def test_pictures_and_numbers_of_the_maps_are_kept(found):
    folder = found.folder / "images" / found.samples[0]["pictures"]
    arrays = np.load(io.BytesIO((folder / "maps.npz").read_bytes()), allow_pickle=False)
    assert arrays["text_clean"].shape == (4, 4)
    assert {path.stem for path in folder.glob("*.png")} >= {
        "image", "adversarial", "repaired_adversarial", "text_clean", "vision_attacked", "gradcam_repaired",
    }  # fmt: skip


def test_without_a_repaired_model_its_column_is_left_out(model):
    alone = attention_maps(model, attention="text", **SMALL)
    assert [row["view"] for row in alone.metrics["distances"]] == ["attacked"]
    assert "repaired_class" not in alone.samples[0]
    assert "repaired" not in alone.summary()
    assert problems(alone.document(), SCHEMA) == []


def test_the_page_shows_each_image_once_for_each_kind(found, tmp_path):
    page = report(found.folder, out=tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.count('class="card"') == 9
    assert page.count('data-kind="text-repaired_adversarial"') == 3
    assert page.count("original, attacked: ") >= 9
    assert "Mean distance from the clean map" in page
    lines = report(found.folder, format="csv", out=tmp_path / "t.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 4
    assert "Every image" in report(found.folder, format="md", out=tmp_path / "t.md").read_text(encoding="utf-8")


def test_a_repaired_model_of_another_shape_is_refused(model):
    other = small_model(1)
    other.grid = (2, 2)
    with pytest.raises(UsageError, match="pass a hardened clip"):
        attention_maps(model, repaired=other, **SMALL)
