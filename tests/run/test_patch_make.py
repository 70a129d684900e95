"""Patches made for a small network: what is measured, kept, left out, and found again."""

import json

import numpy as np
import pytest
import torch
from run_models import scenes, tiny

from rgbdsod.attacks.patch.patch import Patch, apply_patch
from rgbdsod.datasets import load_dataset
from rgbdsod.errors import DataError, UsageError
from rgbdsod.metrics import iou
from rgbdsod.run import make_patches
from rgbdsod.run.patch.batches import halves, refuse_shared
from rgbdsod.run.patch.controls import Elsewhere, controls_of
from rgbdsod.run.patch.laying import Laid
from rgbdsod.run.patch.regions import region_of
from rgbdsod.run.patch.settings import PatchSettings
from rgbdsod.run.patch.tables import patch_table

QUICK = {"size": "4%", "where": "random", "steps": 4, "draws": 1}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_patches(tiny(), scenes(3), modality="both", out=tmp_path_factory.mktemp("make") / "run", **QUICK)


def test_every_control_is_in_the_table(made):
    states = ["clean", "patched", "grey", "noise", "crop", "other", "shuffled"]
    assert list(made.metrics["states"]) == states
    lines = made.summary().splitlines()
    assert [line.split("  ")[0] for line in lines[1:9]] == [
        "clean", "the patch", "a grey card", "random noise", "a piece of another picture",
        "the patch of another picture", "the patch, pixels shuffled", "effect",
    ]  # fmt: skip


def test_the_effect_is_the_harm_beyond_the_worst_control(made):
    values = {state: own["regions"]["rest"]["raw"]["mae"] for state, own in made.metrics["states"].items()}
    found = next(one for one in made.effects if (one["measure"], one["region"]) == ("mae", "rest"))
    worst = max(value for state, value in values.items() if state not in ("clean", "patched"))
    assert found["mean"] == pytest.approx(values["patched"] - worst)
    assert found["control"] == next(state for state, value in values.items() if value == worst and state != "clean")


def test_reloaded_patches_give_the_reported_numbers(made):
    """From the files alone: clean picture, saved patch, saved place, network."""
    model, data = tiny(), scenes(3)
    for sample, row in zip(data, made.samples, strict=True):
        patch = Patch.load(made.folder / "patches" / sample.id)
        inputs = {
            "rgb": torch.from_numpy(sample.rgb).permute(2, 0, 1)[None] / 255,
            "depth": torch.from_numpy(sample.depth)[None, None],
        }
        placed = apply_patch(inputs, patch, torch.tensor([json.loads(row["place"])], dtype=torch.float64))
        files = {
            "rgb": (placed.inputs["rgb"] * 255).round() / 255,
            "depth": (placed.inputs["depth"] * sample.depth_levels).round() / sample.depth_levels,
        }
        map_ = model.predict(size=None, **files).numpy()
        assert float(iou(map_, sample.mask[None], protocol="raw")[0]) == pytest.approx(row["patched_iou_bin_raw"])
        cover = placed.mask[0, 0].numpy()
        assert row["covered"] == pytest.approx(cover.mean())
        for name in inputs:
            outside = np.broadcast_to(~cover, inputs[name].shape[1:])
            saved = load_dataset(made.folder / "adversarial")[made.outcome.piece.ids.index(sample.id)]
            now = saved.rgb.transpose(2, 0, 1) / np.float32(255) if name == "rgb" else saved.depth[None]
            untouched = (placed.inputs[name][0] == inputs[name][0]).numpy() & outside
            assert np.array_equal(now[untouched], inputs[name][0].numpy()[untouched])


def test_a_finished_run_is_read_and_an_interrupted_one_goes_on(made, tmp_path, monkeypatch):
    again = make_patches(tiny(), scenes(3), modality="both", out=made.folder, **QUICK)
    assert again.outcome.reused
    assert again.metrics == made.metrics

    calls = []

    def dies(self, *arguments):
        calls.append(1)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("rgbdsod.run.patch.task.PatchTask._measured", dies)
        make_patches(tiny(), scenes(3), modality="both", out=tmp_path / "run", **QUICK)
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "run" / "patches").rglob("*.safetensors")}
    assert len(kept) == 3
    found = make_patches(tiny(), scenes(3), modality="both", out=tmp_path / "run", **QUICK)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert found.metrics == made.metrics


def test_images_without_a_place_are_counted_and_left_out():
    """Of the scenes, objects of some are too small for a patch of which they may show three quarters."""
    found = make_patches(tiny(), scenes(6, 48), modality="rgb", size="1.5%", where="on-object", steps=1)
    without = [row["id"] for row in found.samples if not row["placed"]]
    assert without
    assert found.no_place == sorted(without)
    assert found.metrics["images"] == 6 - len(without)
    assert all(row["patched_iou_bin"] is None for row in found.samples if not row["placed"])
    assert "no place for a patch" in patch_table(found.metrics)
    with pytest.raises(DataError, match="none of the 2 images has a place"):
        make_patches(tiny(), scenes(2), modality="rgb", size="40%", where="on-object", steps=1)


def test_depth_alone_has_no_controls_of_pixels():
    found = make_patches(tiny(), scenes(2), modality="depth", depth_mode="card", **QUICK)
    assert list(found.metrics["states"]) == ["clean", "patched", "grey", "noise", "other"]
    assert found.metrics["physical"]
    digital = make_patches(tiny(), scenes(2), modality="depth", depth_mode="free", **QUICK)
    assert "digital only" in digital.summary()


def test_a_universal_patch_is_measured_on_pictures_that_it_was_not_fitted_on(tmp_path):
    settings = {**QUICK, "modality": "rgb", "universal": True, "canvas": 12}
    found = make_patches(tiny(), scenes(4), out=tmp_path / "run", **settings)
    fit = found.metrics["source"]["fit"]
    assert (fit["images"], found.metrics["images"]) == (2, 2)
    assert "other" not in found.metrics["states"]
    patch = Patch.load(found.folder / "patch.png")
    assert tuple(patch.content.shape) == (3, 12, 12)
    one, two = halves(scenes(4), 0)
    assert not set(one.ids) & set(two.ids)
    with pytest.raises(DataError, match="4 of 4 photographs"):
        refuse_shared(scenes(4), scenes(4))


def test_a_patch_that_stands_transforms_is_measured_under_a_draw_too():
    found = make_patches(tiny(), scenes(3), modality="both", transforms="print", **QUICK)
    assert list(found.metrics["states"])[:3] == ["clean", "patched", "drawn"]
    assert all(one["control"] not in ("drawn", "clean") for one in found.effects)
    assert any(row["drawn_mae_raw"] != row["patched_mae_raw"] for row in found.samples)
    plain, cover = torch.zeros(1, 3, 32, 32), np.zeros((32, 32), bool)
    cover[5:11, 8:14] = True
    patch, chosen = Patch(torch.ones(1, 6, 6), torch.rand(3, 6, 6)), PatchSettings(size=f"{36 / 1024}").checked()
    place = torch.tensor([[1.0, 0, 8], [0, 1, 5], [0, 0, 1]], dtype=torch.float64)
    inputs, there = Laid(patch, place).drawn({"rgb": plain}, cover, chosen, "a")
    assert np.array_equal(there, cover)  # transforms "none" leave it where it was
    assert torch.allclose(inputs["rgb"][0, :, 5:11, 8:14], patch.content, atol=1e-3)


def test_what_a_patch_may_show_is_a_setting_of_the_run():
    found = make_patches(tiny(), scenes(2), modality="rgb", natural="lowpass", **QUICK)
    assert found.record["settings"]["natural"] == "lowpass"
    with pytest.raises(UsageError, match='--natural "photo": expected one of none, crop'):
        make_patches(tiny(), scenes(2), natural="photo")


def test_an_interrupted_fit_goes_on_to_the_same_patch(tmp_path):
    settings = {**QUICK, "modality": "both", "universal": True, "canvas": 8, "steps": 30}
    whole = make_patches(tiny(), scenes(4), out=tmp_path / "whole", **settings)

    def stops(done, total):
        if done > 0.9 * total * 25 / 30:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_patches(tiny(), scenes(4), out=tmp_path / "parts", callback=stops, **settings)
    assert not (tmp_path / "parts" / "patch.safetensors").exists()
    parts = make_patches(tiny(), scenes(4), out=tmp_path / "parts", **settings)
    assert parts.metrics == whole.metrics
    one, two = (Patch.load(run.folder) for run in (whole, parts))
    assert torch.equal(one.content, two.content)
    assert (one.plane, one.facts) == (two.plane, two.facts)


def test_a_run_that_begins_anew_keeps_nothing_of_the_old_one(tmp_path):
    make_patches(tiny(), scenes(3), modality="rgb", out=tmp_path, **QUICK)
    again = make_patches(tiny(), scenes(2), modality="depth", out=tmp_path, restart=True, **QUICK)
    known = json.loads((tmp_path / "patches.json").read_text())
    assert [one["rgbdsod"]["modality"] for one in known["annotations"]] == ["depth", "depth"]
    assert sorted(path.name for path in (tmp_path / "patches").iterdir()) == sorted(again.outcome.piece.ids)


def test_controls_keep_the_shape_and_lose_what_was_sought():
    patch = Patch(torch.ones(1, 5, 6), torch.rand(3, 5, 6), "plane", (0.9, 0.1, 0.2))
    found = controls_of(patch, Elsewhere(torch.rand(3, 20, 20), patch), 0, "a")
    assert {name: one.plane[1:] for name, one in found.items()} == dict.fromkeys(found, (0.1, 0.2))
    assert found["grey"].plane[0] == found["shuffled"].plane[0] == 0.5
    assert found["other"].plane[0] == 0.9
    assert torch.equal(found["shuffled"].content.flatten(1).sort(1).values, patch.content.flatten(1).sort(1).values)
    assert not torch.equal(
        found["noise"].content, controls_of(patch, Elsewhere(torch.rand(3, 20, 20)), 0, "b")["noise"].content
    )


def test_regions():
    cover = np.zeros((40, 40), bool)
    cover[10:20, 10:20] = True
    assert region_of("all", cover).all()
    assert (region_of("rest", cover) == ~cover).all()
    far = region_of("far", cover)
    assert not far[8:22, 8:22].any()
    assert far.sum() == 40 * 40 - 14 * 14


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"goal": "vanish"}, '--goal "vanish": expected one of hide'),
        ({"size": "5"}, "did you mean 5%"),
        ({"modality": "thermal"}, "--modality thermal: tiny has inputs rgb, depth"),
        ({"depth_mode": "none"}, "--depth-mode none leaves depth as it is"),
        ({"steps": 0}, "--steps 0 is too few; pass 1 or more"),
        ({"universal": True, "where": "worst"}, "a universal patch takes another policy"),
        ({"universal": True, "restarts": 3}, "a universal patch is fitted once"),
        ({"stps": 3}, 'make_patches takes no "stps"'),
        ({"fit_data": "demo"}, "--fit-data is for a universal patch"),
    ],
)
def test_settings_that_cannot_be(settings, text):
    with pytest.raises(UsageError, match=text):
        make_patches(tiny(), scenes(2), **settings)


def test_a_place_that_is_learned_is_kept_and_drawn_from(tmp_path):
    settings = {**QUICK, "modality": "both", "where": "learned", "transforms": "digital", "steps": 3}
    found = make_patches(tiny(), scenes(2), out=tmp_path / "run", **settings)
    assert "drawn" in found.metrics["states"]
    for row in found.samples:
        patch = Patch.load(tmp_path / "run" / "patches" / row["id"])
        assert json.loads(row["place"]) == patch.facts["place"]
        assert patch.facts["turn"] != 0
    with pytest.raises(UsageError, match="--where learned seeks a place for each picture; a universal patch"):
        make_patches(tiny(), scenes(2), universal=True, **{**settings, "canvas": 8})
    from rgbdsod.run import apply_patch_file

    with pytest.raises(UsageError, match="another policy, such as --where random"):
        apply_patch_file(tmp_path / "run" / "patches" / found.samples[0]["id"], tiny(), scenes(2))
