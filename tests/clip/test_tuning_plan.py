"""Presets, what a user may change, schedules, and the images of a fine-tuning."""

import numpy as np
import pytest
import torch
from clip_tuning import IMAGES, small_model

from rgbdsod.defenses import METHODS, TUNING_PRESETS
from rgbdsod.errors import UsageError
from rgbdsod.run.clip.prepare import number_type
from rgbdsod.run.clip.schedule import build_optimizer, rate
from rgbdsod.run.clip.tuning_data import batches, hold_out, open_tuning_set
from rgbdsod.run.clip.tuning_plan import check_model, plan_tuning, read_settings, updates


@pytest.mark.parametrize("name", TUNING_PRESETS.names())
def test_a_preset_needs_nothing_else(name):
    plan = plan_tuning(None, None, name, {})
    assert plan.build().name == plan.method == name.split("/")[0]
    assert updates(plan, 100_000) > plan.warmup
    optimizer = build_optimizer(plan, small_model().visual.parameters())
    assert optimizer.defaults["lr"] == plan.lr and optimizer.defaults["weight_decay"] == plan.weight_decay
    assert (plan.model == "clip.demo") == name.endswith("/small")


def test_the_published_length_is_met():
    assert updates(plan_tuning(None, None, "tga-zsr/tinyimagenet/vit-b-32", {}), 100_000) == 7820
    assert updates(plan_tuning(None, None, "fare/imagenet/vit-b-32", {}), 1_281_167) == 20_000


@pytest.mark.parametrize("method", METHODS.names())
def test_a_method_alone_has_a_preset_for_each_model(method):
    assert plan_tuning("clip.demo", method, None, {}).name == f"{method}/glyphs/small"
    assert plan_tuning("ViT-B-16-quickgelu", method, None, {}).name == f"{method}/tinyimagenet/vit-b-32"


def test_the_rate_rises_and_falls():
    plan = plan_tuning(None, "tga-zsr", None, {"lr": 0.1, "warmup": 4, "schedule": "cosine"})
    rates = [rate(plan, update, 12) for update in range(12)]
    assert rates[:4] == pytest.approx([0.025, 0.05, 0.075, 0.1])
    assert rates[4:] == pytest.approx([0.05 * (1 + np.cos(np.pi * done / 8)) for done in range(8)])
    late = plan_tuning(None, None, "fare/as-released", {"lr": 0.1, "warmup": 4})
    assert [rate(late, update, 12) for update in range(12)] == pytest.approx([0.1, *rates[:-1]])
    flat = plan_tuning(None, None, "tecoa/glyphs/small", {})
    assert {rate(flat, update, 300) for update in range(300)} == {3e-4}


def test_optimisers_have_what_the_plan_says():
    weights = list(small_model().visual.parameters())
    sgd = build_optimizer(plan_tuning(None, None, "tga-zsr/tinyimagenet/vit-b-32", {}), weights)
    assert isinstance(sgd, torch.optim.SGD) and sgd.defaults["momentum"] == 0.9
    adamw = build_optimizer(plan_tuning(None, None, "fare/imagenet/vit-b-32", {}), weights)
    assert isinstance(adamw, torch.optim.AdamW)
    assert (adamw.defaults["betas"], adamw.defaults["weight_decay"]) == ((0.9, 0.95), 1e-4)


def test_the_step_of_the_attack_keeps_its_share_of_the_radius():
    fare = plan_tuning(None, "fare", None, {"eps": 2 / 255}).attack
    assert (fare.eps, fare.step_size, fare.steps) == (2 / 255, pytest.approx(1 / 255), 4)
    own = plan_tuning(None, "fare", None, {"eps": 2 / 255, "step_size": 0.5 / 255, "steps": 7}).attack
    assert (own.step_size, own.steps) == (0.5 / 255, 7)


@pytest.mark.parametrize(
    ("method", "preset", "changes", "message"),
    [
        ("tecoa", "fare/glyphs/small", {}, r'preset "fare/glyphs/small" is of method fare, not tecoa'),
        ("tecao", None, {}, r'no method "tecao"; did you mean "tecoa"'),
        (None, "tga", {}, r'no preset "tga"'),
        (None, None, {"eps": 8.0}, "--eps 8"),
        (None, None, {"iterations": 3, "epochs": 1}, "give --iterations or --epochs, not both"),
        (None, None, {"iterations": 0}, "--iterations 0 is too few; pass 1 or more"),
        (None, None, {"lr": 3.0}, "--lr 3: a learning rate lies between 0 and 1"),
        (None, None, {"steps": 0}, "--steps 0 is too few"),
        (None, None, {"step_size": 0.0}, "--step-size 0: a step is above 0 and at most 1"),
        (None, None, {"warmup": -1}, "--warmup -1: pass 0 updates or more"),
        (None, None, {"momentum": 1.0}, "--momentum 1: pass a number from 0 to 1, without 1"),
        (None, None, {"optimizer": "adam"}, 'no optimizer "adam"; it is one of sgd, adamw'),
        (None, None, {"schedule": "step"}, 'no schedule "step"; it is one of cosine, constant'),
        (None, None, {"attack_space": "pixel"}, 'no attack_space "pixel"'),
        (None, None, {"settings": {"gamma": 1}}, 'method tga-zsr has no setting "gamma"'),
        (None, None, {"settings": {"alpha": -1.0}}, "alpha -1 is no weight; pass 0 or more"),
    ],
)
def test_what_makes_no_sense_is_refused(method, preset, changes, message):
    with pytest.raises(UsageError, match=message):
        plan_tuning(None, method, preset, changes)


def test_a_rate_that_only_rises_is_refused():
    with pytest.raises(UsageError, match=r"rises for 1000 updates, but there are 50 in all; pass --warmup 5"):
        updates(plan_tuning("ViT-B-32", "tecoa", None, {"iterations": 50}), 1000)


def test_a_model_of_another_normalisation_is_refused():
    plan = plan_tuning("clip.demo", None, "pmg-aft/as-released", {})
    with pytest.raises(UsageError, match=r'preset "pmg-aft/as-released" normalises with imagenet, but clip.demo with'):
        check_model(plan, "clip", "clip.demo")


def test_settings_of_a_method_are_read_as_their_kind():
    typed = {"alpha": "1/4", "side": "32", "distance": "rms"}
    assert read_settings("tga-zsr", typed) == {"alpha": 0.25, "side": 32, "distance": "rms"}
    assert read_settings("pmg-aft", {"reverse": "true", "scale": "none"}) == {"reverse": True, "scale": None}
    for given, message in [
        ({"side": "3.5"}, "--set side=3.5: expected a whole number"),
        ({"alpha": "much"}, "--set alpha much: expected a number"),
        ({"beat": "1"}, 'method tga-zsr has no setting "beat"; its own are alpha, beta'),
    ]:
        with pytest.raises(UsageError, match=message):
            read_settings("tga-zsr", given)
    with pytest.raises(UsageError, match="--set reverse=maybe: expected true or false"):
        read_settings("pmg-aft", {"reverse": "maybe"})


def test_half_precision_without_a_scaler_is_refused():
    cpu = torch.device("cpu")
    assert (number_type("auto", cpu), number_type("bfloat16", cpu)) == (torch.float32, torch.bfloat16)
    with pytest.raises(UsageError, match="float16 loses pixel gradients to underflow without a loss scaler"):
        number_type("float16", cpu)
    with pytest.raises(UsageError, match="tuning computes in auto, float32, bfloat16"):
        number_type("int8", cpu)


def test_each_epoch_has_every_image_once_in_an_order_of_its_own():
    found = list(batches(IMAGES, range(6), batch=16, seed=0, side=32, space="native"))
    assert [len(part["ids"]) for part in found] == [16, 16, 8] * 2
    epochs = [np.concatenate([part["positions"] for part in found[at : at + 3]]) for at in (0, 3)]
    assert all(sorted(epoch) == list(range(len(IMAGES))) for epoch in epochs)
    assert list(epochs[0]) != list(epochs[1])
    later = next(batches(IMAGES, range(4, 5), batch=16, seed=0, side=32, space="native"))
    assert torch.equal(later["image"], found[4]["image"]) and later["ids"] == found[4]["ids"]
    first, second = ([set(part["ids"]) for part in found[at : at + 3]] for at in (0, 3))
    assert not set.union(*first) & set.union(*second), "noise differs between epochs"
    assert torch.equal(found[0]["labels"], torch.from_numpy(IMAGES.labels)[found[0]["positions"]])


def test_the_held_out_part_depends_on_the_seed_alone():
    learned, held = hold_out(IMAGES, 0.25, 3)
    assert len(held) == 10 and sorted([*learned.ids, *held.ids]) == sorted(IMAGES.ids)
    assert held.ids == hold_out(IMAGES, 0.25, 3)[1].ids != hold_out(IMAGES, 0.25, 4)[1].ids
    assert hold_out(IMAGES, 0.0, 3) == (IMAGES, None)
    for share in (1.0, -0.1, 0.001):
        with pytest.raises(UsageError, match="--val-share"):
            hold_out(IMAGES, share, 0)


def test_tuning_never_sees_a_zero_shot_task_or_test_images():
    found = open_tuning_set("glyphs:tuning", limit=36)
    assert (len(found), found.classes, found.template) == (36, 36, "this is a photo of a {}")
    assert not set(found.ids) & set(open_test_ids())
    with pytest.raises(UsageError, match="glyphs:pairs is a zero-shot task, which tuning must not see"):
        open_tuning_set("glyphs:pairs")
    with pytest.raises(UsageError, match="--limit 0 leaves no image"):
        open_tuning_set("glyphs:tuning", limit=0)
    with pytest.raises(UsageError, match="glyphs has no split test"):
        open_tuning_set("glyphs", split="test")


def open_test_ids():
    from rgbdsod.datasets import load_image_set

    return load_image_set("glyphs:tuning").ids


def test_a_folder_with_a_part_for_training_gives_that(tmp_path):
    from PIL import Image

    for part in ("train", "test"):
        for name in ("cat", "dog"):
            (tmp_path / part / name).mkdir(parents=True)
            Image.new("RGB", (8, 8)).save(tmp_path / part / name / f"{part}.png")
    assert open_tuning_set(tmp_path).split == "train"
    assert open_tuning_set(tmp_path, split="test").split == "test"
    assert open_tuning_set(tmp_path, template="a {}").prompts == ["a cat", "a dog"]
    with pytest.raises(UsageError, match=r"has no \{\} for the class name"):
        open_tuning_set(tmp_path, template="a thing")
