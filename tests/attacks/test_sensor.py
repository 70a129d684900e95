"""Changes that a depth sensor could suffer: what they look like, and what they find on models with known answers."""

import pytest
import torch
from attacks_problems import rand, toy

from rgbdsod.attacks import ClassProblem, MapProblem, ScoreProblem, noise
from rgbdsod.attacks.budget import Budget
from rgbdsod.attacks.measure import audit
from rgbdsod.attacks.sensor.extremes import extremes
from rgbdsod.attacks.sensor.holes import PATTERNS, holes
from rgbdsod.attacks.sensor.misregistration import misregistration
from rgbdsod.errors import UsageError

SENSOR = [holes, misregistration, extremes]
FREE = {"depth": Budget(eps=1.0)}


def depths(samples: int = 3, height: int = 24, width: int = 32) -> dict[str, torch.Tensor]:
    """A near block (0.8) before a far wall (0.4)."""
    depth = torch.full((samples, 1, height, width), 0.4)
    depth[:, :, 8:16, 10:22] = 0.8
    return {"rgb": rand(5, samples, 3, height, width), "depth": depth}


def darkness(rows: slice, columns: slice) -> ScoreProblem:
    """How dark the depth of a region is."""
    return ScoreProblem(lambda x: 1 - x["depth"][:, 0, rows, columns].mean((1, 2)), threshold=0.7)


def test_holes_are_as_many_as_the_budget_counts():
    inputs, budget = depths(), {"depth": Budget("l0", 60)}
    for pattern in PATTERNS:
        result = holes(darkness(slice(8, 16), slice(10, 22)), inputs, budget, pattern=pattern)
        assert audit(result.inputs, inputs, budget)["depth"].tolist() == [60] * 3
        changed = result.inputs["depth"] != inputs["depth"]
        assert (result.inputs["depth"][changed] == 0).all()
        assert (result.forward == 30).all()
        assert (result.backward == 0).all()


def test_each_sample_keeps_its_worst():
    inputs, budget = depths(), {"depth": Budget("l0", 60)}
    problem = darkness(slice(8, 16), slice(10, 22))
    few, many = (holes(problem, inputs, budget, draws=draws) for draws in (2, 40))
    assert torch.equal(many.loss, many.trace[:, 0].amax(0))
    assert torch.equal(many.trace[:2], few.trace)
    assert (many.loss > few.loss).any()
    clean = problem.loss(problem.forward(inputs))
    assert (many.loss > clean + 0.1).all()


def test_patches_hold_together_and_specks_do_not():
    def seams(result):
        lost = (result.inputs["depth"] == 0).float()
        return (lost.diff(dim=-1).abs().sum((1, 2, 3)) + lost.diff(dim=-2).abs().sum((1, 2, 3))).mean()

    problem = ScoreProblem(lambda x: x["depth"].flatten(1).sum(1))
    inputs = {"depth": torch.full((4, 1, 64, 64), 0.5), "rgb": torch.full((4, 3, 64, 64), 0.5)}
    patches, specks = (
        holes(problem, inputs, {"depth": Budget("l0", 400)}, pattern=name, draws=1) for name in ("patches", "specks")
    )
    assert seams(specks) > 2 * seams(patches)


def test_holes_along_edges_lie_at_the_steps_of_depth():
    inputs = depths()
    result = holes(ScoreProblem(lambda x: x["depth"].mean((1, 2, 3))), inputs, {"depth": Budget("l0", 50)},
                   pattern="edges")  # fmt: skip
    near_step = torch.zeros_like(inputs["depth"], dtype=torch.bool)
    near_step[:, :, 7:17, 9:23] = True
    near_step[:, :, 9:15, 11:21] = False
    assert not ((result.inputs["depth"] == 0) & ~near_step).any()


def test_under_linf_the_share_says_how_many():
    inputs = depths()
    result = holes(darkness(slice(0, 24), slice(0, 32)), inputs, FREE, share=0.25)
    assert (result.inputs["depth"] == 0).flatten(1).sum(1).tolist() == [24 * 32 // 4] * 3
    shallow = holes(darkness(slice(0, 24), slice(0, 32)), inputs, {"depth": Budget(eps=0.1)}, share=0.25)
    assert (inputs["depth"] - shallow.inputs["depth"]).amax() == pytest.approx(0.1)


@pytest.mark.parametrize("attack", SENSOR)
def test_masked_places_stay(attack):
    """Where nothing was measured, a mask keeps depth; the budget is spent elsewhere."""
    inputs = depths()
    mask = torch.ones_like(inputs["depth"])
    mask[:, :, :, :16] = 0
    budget = {"depth": Budget("l0", 30, mask=mask)}
    result = attack(darkness(slice(8, 16), slice(10, 22)), inputs, budget)
    assert torch.equal(result.inputs["depth"][..., :16], inputs["depth"][..., :16])
    changed = (result.inputs["depth"] != inputs["depth"]).flatten(1).sum(1)
    assert (changed == 30).all()


def test_places_that_are_holes_already_are_not_spent():
    inputs = depths()
    inputs["depth"][:, :, :12] = 0
    result = holes(darkness(slice(0, 24), slice(0, 32)), inputs, {"depth": Budget("l0", 40)}, pattern="patches")
    assert (result.inputs["depth"] != inputs["depth"]).flatten(1).sum(1).tolist() == [40] * 3


def test_a_shift_moves_the_map_and_leaves_holes():
    inputs = depths(samples=16)
    settings = {"rotation": 0.0, "scale": 0.0, "draws": 1}
    result = misregistration(darkness(slice(8, 16), slice(10, 22)), inputs, FREE, shift=5, **settings)
    block = (result.inputs["depth"] > 0.6).float()
    rows = (block.amax(-1) * torch.arange(24)).sum(-1) / block.amax(-1).sum(-1)
    columns = (block.amax(-2) * torch.arange(32)).sum(-1) / block.amax(-2).sum(-1)
    moved = torch.cat([rows - 11.5, columns - 15.5])
    assert moved.abs().amax() <= 5.01
    assert moved.abs().amax() > 3
    assert moved.std() > 1
    assert (block.sum((1, 2, 3)) - 96).abs().amax() <= 12 + 8
    assert (result.inputs["depth"] == 0).flatten(1).any(1).all()
    replicated = misregistration(
        darkness(slice(8, 16), slice(10, 22)), inputs, FREE, shift=5, border="replicate", **settings
    )
    assert replicated.inputs["depth"].amin() >= 0.4 - 1e-6


def test_a_quarter_turn_of_a_wide_map_keeps_its_shapes():
    """A square block stays square: the turn is one in pixels, not in sides."""
    depth = torch.full((8, 1, 24, 48), 0.2)
    depth[:, :, 8:16, 20:28] = 1.0
    problem = ScoreProblem(lambda x: x["depth"].mean((1, 2, 3)), inputs=("depth",))
    result = misregistration(problem, {"depth": depth}, FREE, shift=0, scale=0, rotation=90, draws=1)
    area = (result.inputs["depth"] > 0.6).flatten(1).sum(1)
    assert (area.sub(64).abs() <= 8).all()
    assert not torch.equal(result.inputs["depth"], depth)


def test_the_best_shift_uncovers_the_block():
    """The score is how dark the block's place is: shifting by its height is the answer."""
    inputs, problem = depths(), darkness(slice(8, 16), slice(10, 22))
    result = misregistration(problem, inputs, FREE, shift=8, draws=60)
    assert (result.loss > 0.5).all()
    assert torch.allclose(problem.forward(result.inputs), result.loss)


def test_a_budget_bounds_the_values_that_move():
    inputs, budget = depths(), {"depth": Budget(eps=0.05)}
    result = misregistration(darkness(slice(8, 16), slice(10, 22)), inputs, budget)
    assert audit(result.inputs, inputs, budget)["depth"].amax() == pytest.approx(0.05)


def stretching(sharpness: float = 20.0) -> tuple[MapProblem, dict[str, torch.Tensor]]:
    """A model that stretches each depth map to [0, 1], and maps from 0.4 to 0.6 with the object nearest."""
    inputs = depths(samples=8)
    inputs["depth"] = 0.5 + (inputs["depth"] - 0.6) / 2 + (rand(3, 8, 1, 24, 32) - 0.5) * 0.02
    masks = (inputs["depth"] > 0.5).float()

    def model(x):
        depth = x["depth"]
        low, high = depth.amin((2, 3), keepdim=True), depth.amax((2, 3), keepdim=True)
        return sharpness * ((depth - low) / (high - low) - 0.5)

    return MapProblem(model, masks, inputs=("rgb", "depth")), inputs


def test_extremes_defeat_a_stretch_that_noise_of_as_many_pixels_does_not():
    problem, inputs = stretching()
    budget = {"depth": Budget("l0", 1)}
    assert not problem.fooled(problem.forward(inputs)).any()
    result = extremes(problem, inputs, budget)
    audit(result.inputs, inputs, budget)
    assert result.fooled.all()
    weak = noise(problem, inputs, budget)
    assert weak.fooled.float().mean() < 0.6
    assert (result.loss > weak.loss).all()
    several = extremes(problem, inputs, FREE, pixels=3)
    assert (several.inputs["depth"] != inputs["depth"]).flatten(1).sum(1).tolist() == [3] * 8
    assert set(several.inputs["depth"][several.inputs["depth"] != inputs["depth"]].tolist()) <= {0.0, 1.0}


def test_extremes_pick_the_side_that_hurts():
    """The darker the maximum, the better: only pixels at 1 help, whatever the draw's order."""
    problem, inputs = ScoreProblem(lambda x: x["depth"].amax((1, 2, 3)) + x["depth"].amin((1, 2, 3))), depths()
    result = extremes(problem, inputs, {"depth": Budget("l0", 2)})
    assert torch.allclose(result.loss, torch.full((3,), 1.4))


@pytest.mark.parametrize("attack", SENSOR)
def test_other_inputs_stay_whatever_their_budget(attack):
    problem, inputs = toy()
    result = attack(problem, inputs, {"rgb": Budget("l0", 5), "depth": Budget("l0", 5)})
    assert result.inputs["rgb"] is inputs["rgb"]
    again = attack(problem, inputs, {"depth": Budget("l0", 5)})
    assert torch.equal(again.inputs["depth"], result.inputs["depth"])


@pytest.mark.parametrize("attack", SENSOR)
def test_another_sensor_and_class_scores(attack):
    image = rand(1, 3, 3, 8, 8)
    problem = ClassProblem(lambda x: torch.stack([x["image"].mean((1, 2, 3)), 0.4 * x["image"].amax((1, 2, 3))], 1),
                           torch.tensor([0, 0, 0]))  # fmt: skip
    budget = {"image": Budget("l0", 6)}
    result = attack(problem, {"image": image}, budget, sensor="image")
    audit(result.inputs, {"image": image}, budget)
    assert (result.loss > problem.loss(problem.forward({"image": image}))).all()


@pytest.mark.parametrize("attack", SENSOR)
def test_what_cannot_be_meant(attack):
    problem, inputs = toy()
    with pytest.raises(
        UsageError, match=f'^attack "{attack.__name__}" changes input "depth", but rgb may change; give '
    ):
        attack(problem, inputs, {"rgb": Budget()})
    with pytest.raises(UsageError, match=r"^--draws 0 tries nothing; pass 1 or more$"):
        attack(problem, inputs, FREE, draws=0)
    flat = ScoreProblem(lambda x: x["depth"].sum(1), inputs=("depth",))
    with pytest.raises(UsageError, match=r'^input "depth" has shape \(2, 6\); attack '):
        attack(flat, {"depth": torch.full((2, 6), 0.5)}, FREE)


@pytest.mark.parametrize(
    ("attack", "settings", "text"),
    [
        (holes, {"pattern": "rings"}, 'no pattern "rings"; patterns are any, patches, specks, edges'),
        (holes, {"share": 0.0}, "--share 0 of the pixels; pass a number above 0 and up to 1"),
        (extremes, {"pixels": 0}, "--pixels 0 changes nothing; pass 1 or more"),
        (misregistration, {"border": "mirror"}, 'no border "mirror"; borders are hole, replicate'),
        (misregistration, {"shift": -1.0}, "--shift -1 --rotation 1 --scale 0.02: pass 0 or more for each"),
        (misregistration, {"shift": 0, "rotation": 0, "scale": 0}, "--shift 0 --rotation 0 --scale 0: pass 0 or more"),
    ],
)
def test_own_parameters(attack, settings, text):
    problem, inputs = toy()
    with pytest.raises(UsageError, match=f"^{text}"):
        attack(problem, inputs, FREE, **settings)
