"""Patches sought on the common core: stronger than their start, seeded, honest about what was touched."""

import re

import pytest
import torch
from attacks_problems import gains, rand
from patch_scenes import victim
from torch import nn

from rgbdsod.attacks import Budget, MapProblem, Patch, PatchResult, ScoreProblem, adversarial_patch, apply_patch
from rgbdsod.attacks.patch.compose import DEPTH_MODES
from rgbdsod.attacks.patch.controls import control_patches
from rgbdsod.attacks.patch.ghosts import ghost_region
from rgbdsod.attacks.patch.inverse_depth import DepthKind
from rgbdsod.attacks.patch.objectives import GOALS, View
from rgbdsod.attacks.patch.placement import grown
from rgbdsod.attacks.patch.steering import Wish
from rgbdsod.errors import UsageError

RGB, DEPTH = {"rgb": Budget(eps=1.0)}, {"depth": Budget(eps=1.0)}
BOTH = {**RGB, **DEPTH}
SIDE = 24


def run(threat=RGB, **settings) -> tuple[PatchResult, dict]:
    problem, inputs = victim(2, SIDE)
    chosen = {"steps": 8, "patch_size": "8%", **settings}
    return adversarial_patch(problem, inputs, threat, **chosen), inputs


def test_finds_the_best_patch_of_a_linear_problem():
    """Every value under the patch goes to the end of the range that its weight points to."""
    weights = {"rgb": rand(7, 1, 3, 12, 12, dtype=torch.float64) - 0.5}
    weights["rgb"] = weights["rgb"].sign() * (weights["rgb"].abs() + 0.1)
    inputs = {"rgb": torch.full((1, 3, 12, 12), 0.5, dtype=torch.float64)}
    result = adversarial_patch(gains(weights), inputs, RGB, steps=60, step_size=0.05, patch_size="11%")
    best = (0.5 * weights["rgb"].abs() * result.mask).sum()
    assert result.loss.item() == pytest.approx(best.item(), rel=1e-3)


@pytest.mark.parametrize("threat", [RGB, DEPTH, BOTH], ids=["rgb", "depth", "both"])
@pytest.mark.parametrize("mode", [mode for mode in DEPTH_MODES if mode != "none"])
def test_only_the_patch_changes(threat, mode):
    if threat is DEPTH and mode == "surface":
        pytest.skip("nothing to seek")
    result, inputs = run(threat, depth_mode=mode, shape="disc", steps=3)
    around = grown(result.mask, 2)
    for name, value in inputs.items():
        if name not in threat:
            assert result.inputs[name] is value
            continue
        different = (result.inputs[name] != value).any(1, keepdim=True)
        assert different.flatten(1).any(1).all()
        assert not (different & ~(around if name == "rgb" else result.mask)).any()
        assert 0 <= result.inputs[name].min() <= result.inputs[name].max() <= 1
    assert (result.loss >= result.start_loss).all()


@pytest.mark.parametrize("mode", ["card", "plane", "relief"])
def test_found_cards_are_in_front(mode):
    result, inputs = run(BOTH, depth_mode=mode)
    slack = 1e-6 + (8 / 255 if mode == "relief" else 0)
    for row in range(2):
        under = result.mask[row]
        assert (result.inputs["depth"][row][under] >= inputs["depth"][row][under] - slack).float().mean() >= 0.95


@pytest.mark.parametrize("transforms", ["none", "digital", "print", "hard"])
def test_expectations_rise_and_touch_no_global_state(transforms):
    problem, inputs = victim(2, SIDE)
    before, settings = torch.get_rng_state(), {"draws": 2, "steps": 21, "smooth": 0.0, "printable": 0.0}
    result = adversarial_patch(problem, inputs, BOTH, transforms=transforms, patch_size="8%", **settings)
    assert torch.equal(torch.get_rng_state(), before)
    assert (result.loss >= result.start_loss).all()
    assert (result.loss > result.start_loss).any()
    looks = 0 if transforms == "none" else 2  # at steps 0 and 20
    draws = 1 if transforms == "none" else 2
    assert result.backward.tolist() == [21 * draws] * 2
    assert result.forward.tolist() == [draws * (21 + looks + 2)] * 2


def test_the_same_seed_gives_the_same_patch_alone_and_in_a_batch():
    problem, inputs = victim(2, SIDE)
    inputs = {name: value.double() for name, value in inputs.items()}
    problem = MapProblem(problem.modules[0].double(), problem.objects.double())
    settings = {"steps": 4, "patch_size": "8%", "transforms": "print", "draws": 2}
    whole = adversarial_patch(problem, inputs, BOTH, sample_ids=["a", "b"], **settings)
    index = torch.tensor([1])
    own = {name: value[index] for name, value in inputs.items()}
    alone = adversarial_patch(problem.select(index), own, BOTH, sample_ids=["b"], **settings)
    for name in inputs:
        assert torch.allclose(alone.inputs[name][0], whole.inputs[name][1], atol=1e-6)
    other = adversarial_patch(problem, inputs, BOTH, sample_ids=["a", "b"], seed=1, **settings)
    assert not torch.equal(other.mask, whole.mask)


@pytest.mark.parametrize("mode", ["none", "card", "plane", "relief", "free", "surface"])
def test_a_patch_from_its_file_gives_the_reported_pictures(tmp_path, mode):
    threat = RGB if mode == "none" else BOTH
    result, inputs = run(threat, depth_mode="plane" if mode == "none" else mode)
    for row, patch in enumerate(result.patches):
        patch.save(tmp_path / str(row))
        again = type(patch).load(tmp_path / str(row))
        own = {name: value[row : row + 1] for name, value in inputs.items()}
        found = apply_patch(own, again, torch.tensor([again.facts["place"]], dtype=torch.float64))
        assert torch.equal(found.mask[0], result.mask[row])
        for name in inputs:
            assert torch.allclose(found.inputs[name][0], result.inputs[name][row], atol=1e-6)
        if patch.content is not None:
            assert torch.allclose(patch.content * 255, (patch.content * 255).round(), atol=1e-3)


def test_a_smaller_radius_bounds_the_change():
    result, inputs = run({"rgb": Budget(eps=0.1)})
    assert (result.inputs["rgb"] - inputs["rgb"]).abs().max() <= 0.1 + 1e-6
    assert (result.loss > result.start_loss).all()


def test_results_lie_on_the_budgets_grid():
    result, _ = run({"rgb": Budget(eps=1.0, levels=255)}, shape="disc")
    changed = result.inputs["rgb"].masked_select(result.mask) * 255
    assert torch.allclose(changed, changed.round(), atol=1e-3)


def test_unattacked_inputs_are_encoded_once():
    problem, inputs = victim(2, SIDE)
    network = problem.modules[0]
    adversarial_patch(problem, inputs, RGB, steps=5)
    assert network.encoded == {"rgb": 7, "depth": 1}


def test_fooled_samples_leave_and_inference_mode_does_no_harm():
    problem, inputs = victim(2, SIDE)
    assert problem.fooled(problem.forward(inputs)).all()
    result = adversarial_patch(problem, inputs, BOTH, steps=5, restarts=2, stop=True)
    assert (result.forward < 6).all()
    with torch.inference_mode():
        own = {name: value.clone() for name, value in inputs.items()}
        assert adversarial_patch(problem, own, BOTH, steps=2).placed.all()


def test_flags_come_back_after_an_error():
    problem, inputs = victim(2, SIDE)
    network = problem.modules[0].train()

    def broken(done: int, total: int) -> None:
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        adversarial_patch(problem, inputs, RGB, steps=5, callback=broken)
    assert network.training
    assert all(weight.requires_grad for weight in network.parameters())


def test_the_map_under_the_patch_does_not_count():
    """A network that copies the patch into its map gains nothing by it."""

    class Copy(nn.Module):
        inputs = ("rgb",)

        def forward(self, inputs):
            return inputs["rgb"].mean(1, keepdim=True) * 0.5 - 0.25

    masks = torch.zeros(1, 1, SIDE, SIDE)
    masks[..., 8:16, 8:16] = 1
    inputs = {"rgb": rand(0, 1, 3, SIDE, SIDE)}
    result = adversarial_patch(MapProblem(Copy(), masks), inputs, RGB, steps=5)
    assert torch.allclose(result.loss, result.start_loss)
    shown = adversarial_patch(MapProblem(Copy(), masks), inputs, RGB, steps=50, step_size=0.02, patch_goal="self")
    assert shown.loss.item() == pytest.approx(0.25, abs=0.02)


@pytest.mark.parametrize("goal", GOALS)
def test_goals_rise(goal):
    result, _ = run(patch_goal=goal)
    assert (result.loss > result.start_loss).all()


def test_goals_mean_what_they_say():
    objects, mask = torch.zeros(1, 1, 8, 8, dtype=torch.bool), torch.zeros(1, 1, 8, 8, dtype=torch.bool)
    objects[..., 1:4, 1:4], mask[..., 6:, 6:] = True, True
    ghost = ghost_region(objects, mask)
    assert ghost.any()
    assert not (ghost & (objects | mask)).any()

    def value(goal, logits):
        return GOALS[goal].function(View(logits, objects, mask, ~mask, ghost)).item()

    true = torch.where(objects, 5.0, -5.0)
    gone, moved = torch.full_like(true, -5.0), torch.where(ghost, 5.0, -5.0)
    assert value("hide", gone) > value("hide", true)
    assert value("ghost", torch.where(ghost, 5.0, true)) > value("ghost", true)
    assert value("swap", moved) > value("swap", gone) > value("swap", true)
    assert value("degrade", -true) > value("degrade", gone) > value("degrade", true)
    assert value("self", torch.where(mask, 5.0, true)) > value("self", true)
    assert value("hide", torch.where(mask, 5.0, true)) == pytest.approx(value("hide", true))


def test_costs_of_printing_pull():
    rough = run(steps=12, smooth=0.0)[0].patches[0].content
    even = run(steps=12, smooth=50.0)[0].patches[0].content
    assert (even[:, 1:] - even[:, :-1]).abs().mean() < (rough[:, 1:] - rough[:, :-1]).abs().mean()


def test_metric_depth_is_accepted_and_recorded():
    result, _ = run(BOTH, depth_kind="metric:0.5-8")
    assert result.patches[0].facts["depth_kind"] == "metric:0.5-8"
    assert isinstance(DepthKind.parse("metric:0.5-8"), DepthKind)


@pytest.mark.parametrize(
    ("threat", "settings", "text"),
    [
        (DEPTH, {"depth_mode": "none"}, "--depth-mode none leaves depth as it is"),
        (DEPTH, {"depth_mode": "surface"}, "--depth-mode surface leaves nothing to seek in depth alone"),
        (BOTH, {"depth_mode": "hole"}, 'no depth mode "hole"'),
        (BOTH, {"depth_kind": "metres"}, 'no depth kind "metres"'),
        (BOTH, {"depth_kind": "metric:8-2"}, "--depth-kind metric:8-2: pass 0 < NEAR < FAR"),
        (BOTH, {"depth_kind": "metric:1.1.1-2"}, "--depth-kind metric:1.1.1-2: pass distances in metres"),
        (RGB, {"transforms": "all"}, "--transforms all: expected one of none, digital, print, hard"),
        (RGB, {"patch_goal": "fool"}, "--patch-goal fool: expected one of own, hide"),
        (RGB, {"start": "black"}, "--start black: expected one of uniform, grey"),
        (RGB, {"restarts": 2, "start": "grey"}, "--restarts 2 all start from grey"),
        (RGB, {"draws": 0}, "--draws 0 is too few"),
        (RGB, {"smooth": -1.0}, "--smooth -1: pass 0 or more"),
        ({"rgb": Budget("l2", 1.0)}, {}, 'attack "patch" takes --norm linf, not l2'),
    ],
)
def test_settings_that_cannot_be_meant(threat, settings, text):
    with pytest.raises(UsageError, match=f"^{re.escape(text)}"):
        run(threat, **settings)


def test_inputs_that_carry_no_patch():
    problem = ScoreProblem(lambda inputs: inputs["hha"].flatten(1).sum(1), inputs=("hha",))
    with pytest.raises(UsageError, match="a patch is made of rgb, image or depth, not of hha"):
        adversarial_patch(problem, {"hha": rand(0, 1, 3, 8, 8)}, {"hha": Budget(eps=1.0)})
    problem = ScoreProblem(lambda inputs: inputs["image"].flatten(1).sum(1), inputs=("image",))
    with pytest.raises(UsageError, match=re.escape('input "image" has shape (2, 5); patches need (B,3,H,W)')):
        adversarial_patch(problem, {"image": torch.full((2, 5), 0.5)}, {"image": Budget(eps=1.0)})
    with pytest.raises(UsageError, match="--patch-goal hide is for saliency maps"):
        adversarial_patch(problem, {"image": rand(0, 1, 3, 8, 8)}, {"image": Budget(eps=1.0)}, patch_goal="hide")


def test_a_patch_goes_on_from_another():
    first, _ = run(BOTH, steps=4)
    again, _ = run(BOTH, steps=1, start=first.patches)
    assert torch.allclose(again.start_loss, first.loss, atol=1e-4)
    other, _ = run(BOTH, steps=1)
    assert (again.start_loss > other.start_loss).all()
    half, _ = run(BOTH, steps=1, start=[None, first.patches[1]])
    assert torch.allclose(half.start_loss[:1], other.start_loss[:1])
    assert torch.allclose(half.start_loss[1:], again.start_loss[1:], atol=1e-4)
    small, _ = run(BOTH, steps=1, start=first.patches, canvas=4)
    assert torch.isfinite(small.loss).all()


def test_scores_alone_find_a_patch_where_gradients_are_hidden():
    problem, inputs = victim(2, SIDE)

    class Masked(MapProblem):
        """Values of the victim, and a gradient that leads away."""

        def forward(self, inputs):
            return super().forward({name: value.detach() - (value - value.detach()) for name, value in inputs.items()})

    masked = Masked(problem.modules[0], problem.objects.float())
    settings = {"steps": 12, "patch_size": "20%", "step_size": 0.1}
    blind = adversarial_patch(masked, inputs, RGB, **settings)
    seen = adversarial_patch(masked, inputs, RGB, search="spsa", queries=16, **settings)
    assert (seen.loss > blind.loss).all()
    assert seen.backward.tolist() == [0, 0]
    assert seen.forward.tolist() == [12 * 17 + 2] * 2


def test_two_wishes_weigh_what_they_are_said_to_whatever_their_size():
    problem, inputs = victim(1, SIDE)
    index = torch.tensor([0])
    seen = []

    class Watched(MapProblem):
        """A victim that also wants the patch's red low, a thousand times as loudly as the rest, or as softly."""

        weight, loudness = 1.0, 1000.0

        def forward(self, inputs):
            return super().forward(inputs), inputs["rgb"]

        def loss(self, outputs, progress=0.0):
            return super().loss(outputs[0], progress)

        def track(self, outputs):
            return super().loss(outputs[0], 1.0)

        def fooled(self, outputs):
            return super().fooled(outputs[0])

        def steer(self, outputs, hidden):
            red = self.loudness * (outputs[1][:, :1] * hidden).sum((1, 2, 3))
            seen.append(float(red.detach() / self.loudness))
            return Wish(red, torch.full_like(red, self.weight))

    def red(weight: float, loudness: float) -> list[float]:
        seen.clear()
        Watched.weight, Watched.loudness = weight, loudness
        own = Watched(problem.modules[0], problem.objects.float()).select(index)
        result = adversarial_patch(own, inputs, RGB, steps=6, step_size=0.05, patch_size="20%")
        assert (result.loss >= result.start_loss).all()
        return list(seen)

    heavy, light = red(100.0, 1000.0), red(0.0, 1000.0)
    assert heavy[-1] < 0.9 * heavy[0]
    assert heavy[-1] < light[-1] - 1
    assert red(100.0, 1e-3) == pytest.approx(heavy, rel=1e-3)  # a weight means the same whatever the unit


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"search": "random"}, "--search random: expected one of"),
        ({"search": "spsa", "where": "worst"}, "--where worst looks at gradients"),
        ({"search": "spsa", "queries": 3}, "makes no pairs"),
        ({"start": [None]}, "1 patches to start from for 2 samples"),
        ({"start": [None, None], "restarts": 2}, "all start from the given patches"),
        ({"start": [None, None], "natural": "lowpass"}, "starts in its own family"),
    ],
)
def test_starts_and_searches_that_cannot_be(settings, text):
    with pytest.raises(UsageError, match=re.escape(text)):
        run(**settings)


def test_a_card_in_depth_alone_has_no_pixels_to_shuffle():
    card = Patch(torch.ones(1, 4, 4), None, "card", (0.5, 0.0, 0.0))
    assert list(control_patches(card, crop=rand(0, 3, 8, 8))) == ["grey", "noise"]
    assert "shuffled" in control_patches(Patch(torch.ones(1, 4, 4), rand(0, 3, 4, 4)))


@pytest.mark.parametrize("seen", [{}, {"transforms": "digital", "draws": 3}], ids=["as it is", "transformed"])
def test_every_pass_of_a_mean_has_a_draw_of_its_own(seen, monkeypatch):
    """A victim that samples by the progress, as losses of two-stage detectors do, samples for each pass anew."""
    asked = []
    whole = MapProblem.loss

    def loss(self, outputs, progress=0.0):
        asked.append(progress)
        return whole(self, outputs, progress)

    monkeypatch.setattr(MapProblem, "loss", loss)
    run(steps=2, eot=2, patch_goal="own", **seen)
    drawn = [progress for progress in asked if progress % 0.5]  # the steps themselves are 0, 0.5 and 1
    assert len(drawn) == len(set(drawn)) == 2 * (2 * seen.get("draws", 1) - 1)
    assert all(progress % 0.5 < 1e-6 for progress in drawn)
