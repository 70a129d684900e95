"""APGD and PGD with Adam: other people's numbers, known optima, checkpoints, honest counts."""

import re

import numpy as np
import pytest
import torch
from attacks_networks import Classifier, filled
from attacks_problems import SHAPES, gains, middle, rand, toy, weights

from rgbdsod.attacks import Budget, ClassProblem, MapProblem, ScoreProblem, pgd
from rgbdsod.attacks.engine import Engine
from rgbdsod.attacks.evaluation import Evaluation
from rgbdsod.attacks.gradient.adaptive import Adaptive
from rgbdsod.attacks.gradient.annealed import Annealed
from rgbdsod.attacks.gradient.apgd import apgd
from rgbdsod.attacks.gradient.pace import Pace, checkpoints
from rgbdsod.attacks.gradient.pgd_adam import Adam, pgd_adam
from rgbdsod.attacks.measure import audit
from rgbdsod.attacks.norms import ball
from rgbdsod.attacks.rules import step_sizes
from rgbdsod.errors import UsageError

BOTH = {"rgb": Budget(eps=4 / 255), "depth": Budget(eps=16 / 255)}
LINEAR = {
    "linf": {"rgb": 4 / 255, "depth": 16 / 255},
    "l2": {"rgb": 0.5, "depth": 0.2},
    "l1": {"rgb": 2.25, "depth": 0.75},
}


@pytest.fixture(scope="module")
def golden(shared):
    with np.load(shared / "golden" / "attacks.npz") as file:
        names = [name for name in file.files if name.startswith(("apgd", "cls_"))]
        return {name: torch.from_numpy(np.asarray(file[name])) for name in names}


@pytest.mark.parametrize("objective", ["ce", "dlr"])
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_equals_the_authors_run(shared, golden, norm, objective):
    name = f"apgd50_{norm}"
    problem = ClassProblem(filled(Classifier(), shared), golden["cls_y"])
    threat = {"image": Budget(norm, float(golden[f"{name}_eps"]))}
    images = {"image": golden["cls_x"].double()}
    result = apgd(problem, images, threat, steps=50, random_start=False, objective=objective)
    assert torch.allclose(result.loss, golden[f"{name}_{objective}_loss"], atol=1e-5)
    assert result.forward.tolist() == [51] * 8
    assert result.backward.tolist() == [50] * 8
    if (norm, objective) != ("linf", "dlr"):  # there the best loss is found at several points
        assert torch.allclose(result.inputs["image"].float(), golden[f"{name}_{objective}_xbest"], atol=1e-6)


@pytest.mark.parametrize("objective", ["ce", "dlr"])
def test_as_strong_as_the_authors_runs_from_random_points(shared, golden, objective):
    problem = ClassProblem(filled(Classifier(), shared).float(), golden["cls_y"], objective=objective)
    threat, images = {"image": Budget(eps=float(golden["apgd_eps"]))}, {"image": golden["cls_x"].float()}
    theirs = golden[f"apgd_{objective}_best_loss_seeds"]
    ours = torch.stack([apgd(problem, images, threat, seed=seed).loss for seed in range(3)]).mean(0)
    assert (ours >= theirs.mean(0) - (3 * theirs.std(0)).clamp_min(1e-3)).all()


def test_sparse_steps_beat_pgd(shared, golden):
    problem = ClassProblem(filled(Classifier(), shared).float(), golden["cls_y"])
    threat, images = {"image": Budget("l1", 6.0)}, {"image": golden["cls_x"].float()}
    ours = apgd(problem, images, threat, steps=40)
    theirs = pgd(problem, images, threat, steps=40)
    assert (ours.loss > theirs.loss).all()
    audit(ours.inputs, images, threat)


def best_gain(norm: str, w: dict[str, torch.Tensor]) -> torch.Tensor:
    total = torch.zeros(3, dtype=torch.float64)
    for name, weight in w.items():
        eps, flat = LINEAR[norm][name], weight.abs().flatten(1)
        if norm == "l1":  # half a unit each for the heaviest weights, what is left for the next
            room = (eps - 0.5 * torch.arange(flat.shape[1], dtype=torch.float64)).clamp(0, 0.5)
            total += (flat.sort(descending=True).values * room).sum(1)
        else:
            total += eps * (flat.sum(1) if norm == "linf" else flat.norm(dim=1))
    return total


@pytest.mark.parametrize(
    ("attack", "norm", "share", "settings"),
    [
        (apgd, "linf", 1.0, {}),
        (apgd, "linf", 1.0, {"anneal": True, "steps": 20}),
        (apgd, "l2", 0.9999, {}),
        (apgd, "l2", 0.999, {"anneal": True, "steps": 20}),
        (apgd, "l1", 0.997, {}),
        (apgd, "l1", 0.99, {"anneal": True}),
        (pgd_adam, "linf", 1.0, {"steps": 21}),
        (pgd_adam, "l2", 0.83, {"steps": 30}),
    ],
)
def test_share_of_the_optimum(attack, norm, share, settings):
    w, inputs = weights(3), middle(3)
    threat = {name: Budget(norm, LINEAR[norm][name]) for name in SHAPES}
    result = attack(gains(w), inputs, threat, **settings)
    best = best_gain(norm, w)
    assert (result.loss <= best + 1e-9).all()
    assert (result.loss >= share * best - 1e-9).all()
    audit(result.inputs, inputs, threat)


@pytest.mark.parametrize(("norm", "eps"), [("linf", 0.1), ("l2", 0.5)])
def test_a_maximum_inside_the_ball(norm, eps):
    """Steps of fixed length jump about a peak; halved steps settle on it."""
    inputs = middle(3)
    peak = {name: x + 0.01 * (rand(5, *x.shape, dtype=torch.float64) - 0.5) for name, x in inputs.items()}
    problem = ScoreProblem(lambda x: -sum((x[name] - peak[name]).square().flatten(1).sum(1) for name in peak))
    threat = {name: Budget(norm, eps) for name in inputs}
    found = apgd(problem, inputs, threat, random_start=False)
    assert (found.loss > 0.05 * found.start_loss).all()
    fixed = pgd(problem, inputs, threat, steps=100, step_size=lambda limits: limits.reach / 2, random_start=False)
    assert (found.loss > fixed.loss).all()


def test_checkpoints():
    assert sorted(checkpoints(100)) == [22, 41, 57, 70, 80, 87, 93, 99]
    assert sorted(checkpoints(5)) == [1, 2, 3, 4]
    assert checkpoints(1) == checkpoints(0) == set()


def test_when_steps_are_halved():
    """Three samples: enough rises; too few; enough, but the best value is old and nothing was halved before."""
    points = {"x": torch.zeros(3, 1)}

    def look(*values: float) -> Evaluation:
        value = torch.tensor(values)
        return Evaluation(value, lambda: value > 0, {"x": value[:, None]})

    pace = Pace.of(points, look(0, 0, 5))
    for values in ((1, -1, 1), (2, 1, 2), (3, 0.5, 3), (4, 0.25, 4)):
        pace.note({"x": torch.tensor(values)[:, None]}, look(*values))
    assert pace.value.tolist() == [4, 1, 5]
    assert pace.points["x"].flatten().tolist() == [4, 1, 0]
    assert pace.gradients["x"].flatten().tolist() == [4, 1, 5]
    assert pace.rises.tolist() == [4, 1, 3]
    assert pace.check(0.75 * 3).tolist() == [False, True, True]
    assert pace.share.tolist() == [1, 0.5, 0.5]
    pace.note({"x": torch.zeros(3, 1)}, look(5, 0.9, 4.5))
    assert pace.check(0.75).tolist() == [False, False, False]  # a best value may stand still right after a halving
    pace.note({"x": torch.zeros(3, 1)}, look(6, 0.95, 4.9))
    assert pace.check(0.75).tolist() == [False, True, True]
    assert pace.share.tolist() == [1, 0.25, 0.25]


def test_ranked_by_what_the_problem_tracks():
    """SegPGD's weights move, so its own values of two steps cannot be compared."""
    problem, inputs = toy()
    result = apgd(problem, inputs, BOTH, steps=12, objective="segpgd")
    assert torch.allclose(result.loss, problem.loss(problem.forward(result.inputs)), rtol=1e-5)
    assert torch.equal(result.loss, result.trace[0].amax(0))


@pytest.mark.parametrize("anneal", [False, True])
@pytest.mark.parametrize(("steps", "restarts"), [(0, 1), (1, 1), (3, 2), (11, 1)])
def test_passes(anneal, steps, restarts):
    problem, inputs = toy()
    result = apgd(problem, inputs, BOTH, steps=steps, restarts=restarts, anneal=anneal)
    assert result.forward.tolist() == [restarts * (steps + 1)] * 4
    assert result.backward.tolist() == [restarts * steps] * 4
    assert (result.loss >= result.start_loss - 1).all()
    audit(result.inputs, inputs, BOTH)


@pytest.mark.parametrize(("norm", "eps", "times"), [("linf", 0.05, (2, 1.5, 1)), ("l1", 2.0, (3, 2, 1))])
def test_annealing_shrinks_the_ball(norm, eps, times):
    """The network sees the larger radii, 30, 30 and 40 % of the steps each; the result lies within the budget."""
    problem, inputs = toy()
    seen = []

    class Watched(MapProblem):
        def forward(self, points):
            change = (points["depth"].detach() - inputs["depth"]).abs().flatten(1)
            seen.append((change.amax(1) if norm == "linf" else change.sum(1)).amax().item())
            return super().forward(points)

    watched = Watched(problem.modules[0].forward, torch.zeros(4, 1, 16, 16), inputs=("rgb", "depth"))
    threat = {"depth": Budget(norm, eps)}
    result = apgd(watched, inputs, threat, steps=20, anneal=True)
    for stage, radius in zip((seen[1:6], seen[6:12], seen[12:]), times, strict=True):
        assert max(stage) == pytest.approx(radius * eps, rel=1e-4)
    audit(result.inputs, inputs, threat)


def test_annealing_never_widens_linf_beyond_the_range():
    problem, inputs = toy()
    threat = {"rgb": Budget(eps=0.9), "depth": Budget(eps=torch.full((4, 1, 1, 1), 0.8))}
    audit(apgd(problem, inputs, threat, steps=10, anneal=True).inputs, inputs, threat)


def test_inputs_with_different_norms():
    problem, inputs = toy()
    threat = {"rgb": Budget("l1", 4.0), "depth": Budget("l2", 0.5)}
    both = apgd(problem, inputs, threat, steps=30)
    audit(both.inputs, inputs, threat)
    for name, budget in threat.items():
        assert (both.loss > apgd(problem, inputs, {name: budget}, steps=30).loss).all()


@pytest.mark.parametrize("rule", ["adaptive", "annealed", "adam"])
def test_samples_that_leave_change_nothing_for_the_others(rule):
    """A rule narrowed on the way goes on as one that never knew the others."""
    threat = {"rgb": Budget(eps=0.05), "depth": Budget("l2" if rule == "adam" else "l1", 2.0)}
    problem, inputs = toy()
    inputs = {name: value.double() for name, value in inputs.items()}
    problem.modules[0].double()
    index = torch.tensor([3, 1])

    def make(balls):
        def adaptive(*settings):
            return Adaptive(*settings, rho=0.75, momentum=0.75)

        sizes = step_sizes(lambda one: one.reach, balls, 20)
        if rule == "annealed":
            return Annealed(balls, sizes, 20, rule=adaptive)
        return (Adam if rule == "adam" else adaptive)(balls, sizes, 20)

    with Engine.open(problem, inputs, threat, attack="test") as whole:
        part = whole.part(index)
        path, alone = make(whole.balls), make(part.balls)
        points, expected, engine = dict(whole.clean), dict(part.clean), whole
        for step in range(20):
            if step == 9:
                path.select(index, part.balls)
                points, engine = {name: value[index] for name, value in points.items()}, part
            points = path.step(points, engine.gradient(points))
            expected = alone.step(expected, part.gradient(expected))
        for name, value in points.items():
            assert torch.allclose(value, expected[name], atol=1e-9)
            assert (value != part.clean[name]).any()


def test_adam_takes_steps_of_one_length_whatever_the_gradients_scale():
    clean = torch.full((3, 2), 0.5)
    balls = {"x": ball(clean, Budget(eps=0.3))}
    path = Adam(balls, {"x": torch.tensor(0.03)}, 5)
    gradient = torch.tensor([[1e-30, -1e-30], [5.0, -5.0], [0.0, 1.0]])
    points = {"x": clean}
    for _ in range(3):
        points = path.step(points, Evaluation(torch.zeros(3), lambda: torch.zeros(3), {"x": gradient}))
    moved = points["x"] - clean
    assert torch.allclose(moved, 0.09 * gradient.sign(), atol=1e-5)


def test_adam_follows_the_mean_of_its_gradients():
    """Against the algorithm, written out."""
    clean = torch.full((1, 1), 0.5, dtype=torch.float64)
    path = Adam({"x": ball(clean, Budget(eps=0.5))}, {"x": torch.tensor(0.01, dtype=torch.float64)}, 4)
    points, mean, square, expected = {"x": clean}, 0.0, 0.0, 0.5
    for t, g in enumerate([1.0, -3.0, 0.5, 2.0], start=1):
        points = path.step(points, Evaluation(clean[0], lambda: clean > 1, {"x": torch.full_like(clean, g)}))
        mean, square = 0.9 * mean + 0.1 * g, 0.999 * square + 0.001 * g * g
        expected += 0.01 * (mean / (1 - 0.9**t)) / (square / (1 - 0.999**t)) ** 0.5
    assert points["x"].item() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("attack", "threat", "settings", "text"),
    [
        (apgd, BOTH, {"rho": 0.0}, "--rho 0: pass a number above 0, up to 1"),
        (apgd, BOTH, {"momentum": 1.5}, "--momentum 1.5: pass a number above 0, up to 1"),
        (apgd, BOTH, {"restarts": 2, "random_start": False}, "--restarts 2 all start from the clean input"),
        (apgd, BOTH, {"objective": "bec"}, 'no objective "bec"; did you mean "bce"?'),
        (apgd, {"rgb": Budget("l0", 3)}, {}, 'attack "apgd" takes --norm linf, l2, l1, not l0'),
        (pgd_adam, {"rgb": Budget("l1", 3)}, {}, 'attack "pgd-adam" takes --norm linf, l2, not l1'),
        (pgd_adam, BOTH, {"restarts": 0}, "--restarts 0 runs nothing; pass 1 or more"),
    ],
)
def test_errors(attack, threat, settings, text):
    problem, inputs = toy()
    with pytest.raises(UsageError, match=f"^{re.escape(text)}"):
        attack(problem, inputs, threat, **settings)


def test_no_objective_can_be_named_for_a_score():
    with pytest.raises(UsageError, match="gives one score per sample"):
        apgd(gains(weights(3)), middle(3), {"rgb": Budget()}, objective="bce")


def test_no_question_to_the_device_inside_the_loop(monkeypatch):
    """Asking for a number stops a GPU; neither halving nor sparsity may ask."""
    problem, inputs = toy()
    asked = []

    def loudly(name):
        ask = getattr(torch.Tensor, name)
        monkeypatch.setattr(torch.Tensor, name, lambda self, *a: asked.append(name) or ask(self, *a))

    for name in ("item", "__bool__", "__float__", "__int__", "tolist", "nonzero"):
        loudly(name)
    monkeypatch.setattr(torch.Tensor, "is_cpu", False)
    for attack, norms in ((apgd, ("linf", "l2", "l1")), (pgd_adam, ("linf", "l2"))):
        for norm in norms:
            counts = set()
            for steps in (3, 20):
                asked.clear()
                attack(problem, inputs, {"rgb": Budget(norm, 1)}, steps=steps)
                counts.add(len(asked))
            assert len(counts) == 1, (attack, norm)
