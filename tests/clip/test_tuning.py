"""Fine-tuning: what changes and what does not, caches, resume, and what is written."""

import json

import pytest
import torch
from clip_tuning import IMAGES, small_model, trained, weights_of

from rgbdsod.clip import load_checkpoint, read_checkpoint
from rgbdsod.defenses import METHODS, Hardening, NumericsError
from rgbdsod.errors import UsageError
from rgbdsod.run import harden
from rgbdsod.run.clip.tuner import Tuner


@pytest.mark.parametrize("method", METHODS.names())
def test_every_method_tunes_the_image_encoder_alone(tmp_path, method):
    model = small_model()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    tuned = trained(tmp_path, method, model)
    assert tuned.plan.method == method and tuned.iteration == 2
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items()), "the caller's own"
    visual = set(dict(tuned.model.visual.named_parameters(prefix="dual.visual")))
    same = {name for name, value in tuned.model.state_dict().items() if torch.equal(value, before[name])}
    assert same.isdisjoint(visual), "every weight of the image encoder moved"
    assert same == set(before) - visual and tuned.model.scale == model.scale
    assert tuned.model.text_fingerprint == model.text_fingerprint


@pytest.mark.parametrize("method", ["tga-zsr", "pmg-aft"])
def test_only_the_image_encoder_is_in_the_optimiser_and_the_original_stays(tmp_path, monkeypatch, method):
    seen = []
    monkeypatch.setattr(Tuner, "loop", lambda tuner, callback, loop=Tuner.loop: (seen.append(tuner), loop(tuner, None)))
    model = small_model()
    trained(tmp_path, method, model)
    how = seen[0].how
    held = [weight for group in seen[0].optimizer.param_groups for weight in group["params"]]
    assert {id(weight) for weight in held} == {id(weight) for weight in how.model.visual.parameters()}
    original = how.hardening.parts.original
    assert original.fingerprint == model.fingerprint
    assert not any(weight.requires_grad or weight.grad is not None for weight in original.parameters())


@pytest.mark.parametrize("method", ["tga-zsr", "fare"])
def test_what_is_kept_of_the_original_changes_nothing(tmp_path, monkeypatch, method):
    asked = []
    own = Hardening.reference
    monkeypatch.setattr(Hardening, "reference", lambda how, batch: asked.append(len(batch.ids)) or own(how, batch))
    # Forty images in batches of 20: the third epoch begins within five updates.
    kept = trained(tmp_path / "kept", method, iterations=5, batch=20)
    assert sum(asked) == len(IMAGES), "every image is asked for once"
    anew = trained(tmp_path / "anew", method, iterations=5, batch=20, cache=False)
    assert sum(asked) == len(IMAGES) + 5 * 20
    assert torch.equal(weights_of(kept.model), weights_of(anew.model))


@pytest.mark.parametrize(
    ("method", "kind", "shape"), [("tga-zsr", torch.float16, (16,)), ("fare", torch.float32, (64,))]
)
def test_maps_are_kept_in_half_precision_and_embeddings_in_full(tmp_path, method, kind, shape):
    trained(tmp_path, method, iterations=5)
    kept = torch.load(tmp_path / "checkpoints" / "last.pt", weights_only=True)["originals"]
    assert kept["values"].dtype == kind and kept["values"].shape == (len(IMAGES), *shape)
    assert kept["known"].all()


@pytest.mark.parametrize("method", ["tga-zsr", "fare-bimodal"])
def test_a_training_that_was_stopped_ends_as_an_unbroken_one(tmp_path, method):
    options = {"iterations": 7, "validate_every": 2, "val_share": 0.1}
    whole = trained(tmp_path / "whole", method, **options)
    again = trained(tmp_path / "again", method, **options)
    assert whole.sha256 == again.sha256, "two runs are equal"

    def stop(done, total, shown):
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "broken", method, **options, callback=stop)
    assert not (tmp_path / "broken" / "weights.safetensors").exists()
    asked = []
    broken = trained(tmp_path / "broken", method, **options, callback=lambda done, total, shown: asked.append(done))
    assert asked == [5, 6, 7]
    assert broken.sha256 == whole.sha256
    for name in ("last", "best"):
        one, other = (torch.load(tmp_path / run / "checkpoints" / f"{name}.pt") for run in ("whole", "broken"))
        assert all(torch.equal(one["model"][key], other["model"][key]) for key in one["model"])
    events = [{k: v for k, v in event.items() if k != "seconds"} for event in broken.history]
    assert events == [{k: v for k, v in event.items() if k != "seconds"} for event in whole.history]
    with pytest.raises(UsageError, match=r"holds a training with lr=0.0003, now 0.001; use --restart"):
        trained(tmp_path / "broken", method, **options, lr=1e-3)


def test_another_seed_is_another_training(tmp_path):
    one, other = (trained(tmp_path / str(seed), "tecoa", seed=seed, iterations=1) for seed in (0, 1))
    assert one.sha256 != other.sha256


def test_weights_are_written_in_our_layout_with_all_that_made_them(tmp_path):
    model = small_model()
    tuned = trained(tmp_path, "tga-zsr", model, eps=4 / 255, settings={"beta": 0.04}, val_share=0.1)
    checkpoint = read_checkpoint(tuned.weights)
    settings = checkpoint.origin.settings
    assert checkpoint.origin.method == "tga-zsr" and checkpoint.origin.activation == "gelu"
    assert (settings["preset"], settings["eps"]) == ("tga-zsr/glyphs/small", 4 / 255)
    assert settings["attack"]["step_size"] == 4 / 255 and settings["settings"]["beta"] == 0.04
    assert settings["settings"]["alpha"] == 0.08, "defaults are written too"
    assert settings["original sha256"] == model.fingerprint and settings["held out"] == 4
    assert checkpoint.claims["visual_sha256"] == tuned.sha256
    fresh = small_model()
    load_checkpoint(fresh, tuned.weights)
    assert torch.equal(weights_of(fresh), weights_of(tuned.model))


def test_the_best_weights_on_the_held_out_part_are_selected(tmp_path):
    scores = iter([0.2, 0.6, 0.4])
    options = {"iterations": 3, "validate_every": 1, "val_share": 0.2}

    def measured(watch, model):
        score = next(scores)
        return {"clean": score, "robust": score, "score": score}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rgbdsod.run.clip.validation.Validation.__call__", measured)
        best = trained(tmp_path / "best", "tecoa", **options)
    assert best.iteration == best.best["iteration"] == 2
    last = trained(tmp_path / "last", "tecoa", **options, select="last")
    assert last.iteration == 3 and set(last.best) == {"iteration", "clean", "robust", "score"}
    states = [torch.load(tmp_path / run / "checkpoints" / f"{run}.pt")["model"] for run in ("best", "last")]
    for tuned, state in zip((best, last), states, strict=True):
        assert all(torch.equal(value, state[name]) for name, value in tuned.model.visual.state_dict().items())


def test_the_log_has_every_loss_and_the_rate(tmp_path):
    tuned = trained(tmp_path, "tga-zsr", iterations=10, warmup=4, schedule="cosine")
    events = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert events == tuned.history and [event["iteration"] for event in events] == [10]
    assert {"total", "adversarial", "refinement", "constraint", "lr", "seconds"} < set(events[0])


def infinite(_layer, slopes, _given):
    """A backward pass that overflows."""
    return tuple(slope * float("inf") for slope in slopes)


def test_weights_that_are_no_numbers_stop_with_step_and_layer(tmp_path):
    model = small_model()
    model.visual.blocks[1].mlp[0].weight.data[0, 0] = float("nan")
    with pytest.raises(NumericsError, match=r'at step 0; the weights "dual.visual.blocks.1.mlp.0.weight" are not fin'):
        trained(tmp_path, "tecoa", model)


def test_gradients_that_are_no_numbers_stop_before_the_update(tmp_path):
    model = small_model()
    model.visual.norm.register_full_backward_hook(infinite)
    with pytest.raises(NumericsError, match=r'the gradient of "blocks.1.mlp.2.bias" is not finite at step 0'):
        trained(tmp_path, "ft-clean", model)
    assert not list(tmp_path.rglob("*.safetensors"))


def test_a_model_that_is_passed_brings_its_own_weights(tmp_path):
    with pytest.raises(UsageError, match="weights= is for a model that is given by name"):
        harden(small_model(), IMAGES, "tecoa", out=tmp_path, weights="x.pt")
