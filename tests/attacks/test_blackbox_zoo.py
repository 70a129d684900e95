"""ZOO: exact derivatives of a quadratic, coordinates where they should be, the optimum of a linear problem."""

import re

import pytest
import torch
from attacks_problems import SHAPES, gains, middle, rand, toy, weights

from rgbdsod.attacks import Budget, ScoreProblem
from rgbdsod.attacks.blackbox.coordinate import Moments, newton
from rgbdsod.attacks.blackbox.descent import Descent, levels, shares
from rgbdsod.attacks.blackbox.grid import Grid
from rgbdsod.attacks.blackbox.zoo import zoo
from rgbdsod.attacks.measure import audit
from rgbdsod.attacks.norms import ball
from rgbdsod.attacks.search import Search
from rgbdsod.errors import UsageError

THREAT = {name: Budget("l2", 50.0) for name in SHAPES}


class Bowl(ScoreProblem):
    """A quadratic of the image: minus its squared distance from 0.2, each value with its own weight."""

    def __init__(self):
        super().__init__(
            lambda x: -(self.bend * (x["image"] - 0.2) ** 2).flatten(1).sum(1), threshold=0.0, inputs=("image",)
        )
        self.bend = rand(3, 1, 2, 4, 5, dtype=torch.float64) + 0.5


def test_differences_of_a_quadratic_are_its_derivatives():
    problem, image = Bowl(), torch.full((2, 2, 4, 5), 0.5, dtype=torch.float64)
    threat = {"image": Budget("l2", 9.0)}
    with Search.open(problem, {"image": image}, threat, attack="test", norms=("l2",), knowledge="score") as search:
        grid = levels(search.engine.balls, True)[0]
        settings = {"spread": 1e-3, "step_size": 0.01, "solver": "adam", "importance": True}
        descent = Descent(search, [40], [grid], **settings)
        index = torch.arange(40).expand(2, 40)
        gap = search.evaluate(descent.point).gap
        slope, bend = descent.slopes(index, gap, torch.full_like(gap, 3.0))
    flat = problem.bend.flatten(1)
    assert torch.allclose(slope, 3 * 2 * flat * 0.3 * torch.ones_like(slope), rtol=1e-8)
    assert torch.allclose(bend, 2 + 3 * 2 * flat * torch.ones_like(slope), rtol=1e-5)


def test_single_coordinates_add_up_to_the_whole():
    """What coordinates do one by one is what the noise does at once; folding is the transpose of spreading."""
    grid = Grid([(3, 12, 20), (1, 12, 20)], 8, torch.zeros(1, dtype=torch.float64))
    assert grid.counts == [3 * 5 * 8, 5 * 8]
    noise = rand(0, 2, grid.count, dtype=torch.float64) - 0.5
    each = grid.each(torch.arange(grid.count).expand(2, -1))
    assert torch.allclose(torch.einsum("bn,bnd->bd", noise, each), grid.spread(noise))
    change = rand(1, 2, 4 * 12 * 20, dtype=torch.float64)
    assert torch.allclose(grid.fold(change), torch.einsum("bd,bnd->bn", change, each))
    rgb = noise[:, :120].view(2, 3, 5, 8)
    smooth = torch.nn.functional.interpolate(rgb, (12, 20), mode="bilinear", align_corners=False)
    assert torch.allclose(grid.spread(noise)[:, : 3 * 12 * 20], smooth.flatten(1))


def test_small_images_are_their_own_grid():
    image = torch.zeros(1, 3, 32, 48)
    (grid,) = levels({"image": ball(image, Budget("l2", 1.0))}, True)
    noise = rand(0, 1, grid.count)
    assert torch.equal(grid.spread(noise), noise)
    large = levels({"image": ball(torch.zeros(1, 3, 200, 100), Budget("l2", 1.0))}, True)
    assert [level.counts for level in large] == [[3 * 32 * 16], [3 * 64 * 32], [3 * 128 * 64]]


def test_a_finer_grid_goes_on_where_the_coarser_stood():
    like = torch.zeros(1, dtype=torch.float64)
    coarse, fine = (Grid([(1, 96, 96)], side, like) for side in (8, 32))
    noise = torch.linspace(0, 1, 8, dtype=torch.float64).expand(8, 8).reshape(1, 64)
    gap = coarse.spread(noise) - fine.spread(fine.from_coarser(noise, coarse))
    assert gap.abs().max() < 0.05


def test_importance():
    """Nine tenths of the draws by the largest noise of each cell, one tenth to all alike."""
    grid = Grid([(1, 64, 64)], None, torch.zeros(1))
    noise = torch.zeros(2, 64 * 64)
    noise[0, 0] = -3.0
    weight = grid.importance(noise)
    assert torch.allclose(weight.sum(1), torch.ones(2))
    assert weight[0, :8].sum().item() == pytest.approx(8 * (0.9 / 64 + 0.1 / 4096), rel=1e-4)
    assert weight[0, -1].item() == pytest.approx(0.1 / 4096, rel=1e-4)
    assert torch.allclose(weight[1], torch.tensor(1 / 4096))


def test_draws_follow_the_weights_and_differ():
    grid = Grid([(1, 1, 6), (1, 1, 4)], None, torch.zeros(1))
    weights = torch.tensor([[1.0, 1, 1, 1, 1, 5, 1, 1, 0, 0]]).expand(4000, 10)
    index = grid.draw(weights, rand(0, 4000, 10), [1, 2])
    assert index.shape == (4000, 3)
    assert (index[:, 0] == 5).float().mean().item() == pytest.approx(0.5, abs=0.03)
    assert (index[:, 1:].sort(1).values == torch.tensor([6, 7])).all()


def test_shares():
    balls = {name: ball(torch.zeros(1, *shape), Budget("l2", 1.0)) for name, shape in SHAPES.items()}
    assert shares(balls, None, 101) in ([50, 51], [51, 50])
    assert shares(balls, {"rgb": 3, "depth": 1}, 128) == [96, 32]
    assert shares(balls, {"rgb": 1, "depth": 0}, 7) == [7, 0]


def test_moments_are_each_coordinates_own():
    state = Moments.begin(torch.zeros(1, 4, dtype=torch.float64))
    for slope in (1.0, 3.0):
        state, way = state.after(torch.tensor([[2, 0]]), torch.tensor([[slope, -slope]], dtype=torch.float64))
    assert state.steps.tolist() == [[2, 0, 2, 0]]
    mean = (0.9 * 0.1 * 1 + 0.1 * 3) / (1 - 0.9**2)
    square = (0.999 * 0.001 * 1 + 0.001 * 9) / (1 - 0.999**2)
    assert way[0, 0].item() == pytest.approx(mean / square**0.5, rel=1e-5)
    assert way[0, 1] == -way[0, 0]
    assert not state.fresh(torch.tensor([True])).steps.any()


def test_newton_goes_to_the_bottom_where_there_is_one():
    slope, bend = torch.tensor([[4.0, 4.0]]), torch.tensor([[2.0, -1.0]])
    assert newton(slope, bend).tolist() == [[2.0, 4.0]]


@pytest.mark.parametrize("solver", ["adam", "newton"])
@pytest.mark.parametrize("names", [("depth",), ("rgb", "depth")])
def test_near_the_optimum_of_a_linear_problem(solver, names):
    """The nearest point of a half space is |f| / ||w|| away."""
    w, inputs = weights(3), middle(3)
    problem = gains(w, threshold=0.3)
    threat = {name: THREAT[name] for name in names}
    settings = {"adam": {"step_size": 0.003, "weight": 0.5}, "newton": {"step_size": 0.01, "weight": 1.0}}[solver]
    result = zoo(problem, inputs, threat, queries=6000, coordinates=30, solver=solver, **settings)
    best = 0.3 / torch.cat([w[name].flatten(1) for name in names], 1).norm(dim=1)
    audit(result.inputs, inputs, threat)
    assert result.fooled.all()
    assert (result.distance >= best * (1 - 1e-6)).all()
    assert (result.distance <= (1.4 if len(names) > 1 else 1.02) * best).all()
    assert (result.forward <= 6001).all()
    assert (result.backward == 0).all()


def test_rounds_find_the_weight():
    w, inputs = weights(2), middle(2)
    problem = gains(w, threshold=0.3)
    settings = {"queries": 6000, "coordinates": 30, "weight": 0.01}
    once = zoo(problem, inputs, {"rgb": THREAT["rgb"]}, **settings)
    often = zoo(problem, inputs, {"rgb": THREAT["rgb"]}, rounds=6, **settings)
    assert not once.fooled.any()
    assert torch.isinf(once.distance).all()
    assert torch.equal(once.inputs["rgb"], inputs["rgb"])
    assert often.fooled.all()


def test_large_images_on_grids_within_masks():
    """An image that is not square, noise that grows finer, a mask that holds."""
    image = torch.full((2, 1, 70, 90), 0.5)
    mask = torch.zeros(1, 1, 70, 90)
    mask[..., 30:] = 1
    darker = ScoreProblem(lambda x: -x["image"].mean((1, 2, 3)), threshold=-0.49, inputs=("image",))
    threat = {"image": Budget("l2", 50.0, mask=mask)}
    result = zoo(darker, {"image": image}, threat, queries=1500, coordinates=20, weight=1e4, step_size=0.05)
    audit(result.inputs, {"image": image}, threat)
    assert result.fooled.all()
    assert torch.equal(result.inputs["image"][..., :30], image[..., :30])


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"queries": 0}, "--queries 0: 128 coordinates take 258; pass as many or more"),
        ({"queries": 100, "coordinates": 50}, "--queries 100: 50 coordinates take 102; pass as many or more"),
        ({"coordinates": 0}, "--coordinates 0 is too few; pass 1 or more"),
        ({"rounds": 0}, "--rounds 0 is too few; pass 1 or more"),
        ({"spread": 0.0}, "--spread 0: pass a number above 0"),
        ({"step_size": -1.0}, "--step-size -1: pass a number above 0"),
        ({"solver": "sgd"}, 'no solver "sgd"; it is one of adam, newton'),
        ({"share": {"rgb": 1.0}}, "share names rgb, but depth is attacked too"),
        ({"share": {"rgb": 0.0, "depth": 0.0}}, "share {'rgb': 0.0, 'depth': 0.0}: pass 0 or more for each input"),
    ],
)
def test_settings(settings, text):
    problem, inputs = toy()
    with pytest.raises(UsageError, match=re.escape(text)):
        zoo(problem, inputs, THREAT, **settings)
