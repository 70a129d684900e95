"""Random search: the published schedule and statistics, the share of a known optimum, honest counts."""

import re

import numpy as np
import pytest
import torch
from attacks_networks import Classifier, filled
from attacks_problems import SHAPES, gains, middle, toy, weights

from rgbdsod.attacks import Budget, ClassProblem
from rgbdsod.attacks.blackbox import bumps, squares
from rgbdsod.attacks.blackbox.random_search import share_at
from rgbdsod.attacks.blackbox.sparse_rs import _picked, sparse_rs
from rgbdsod.attacks.blackbox.square import square
from rgbdsod.attacks.measure import audit
from rgbdsod.attacks.norms import ball, length
from rgbdsod.errors import UsageError

NEVER = 99.0  # a threshold that nothing reaches


@pytest.fixture(scope="module")
def golden(shared):
    with np.load(shared / "golden" / "attacks.npz") as file:
        return {name: torch.from_numpy(np.asarray(file[name])) for name in file.files}


def test_schedule(golden):
    found = [share_at(0.8, query, 1000) for query in range(1000)]
    assert torch.allclose(torch.tensor(found, dtype=torch.float64), golden["square_p_init0.8_N1000"])


def test_success_like_the_published_one(shared, golden):
    problem = ClassProblem(filled(Classifier(), shared).float(), golden["cls_y"])
    threat = {"image": Budget(eps=2 * float(golden["apgd_eps"]))}
    for seed, score in ((0, "gap"), (1, "objective")):
        result = square(problem, {"image": golden["cls_x"]}, threat, queries=500, seed=seed, score=score)
        assert result.fooled.int().sum() >= golden["square500_success_seeds"].sum(1).min()
        assert (result.forward[~result.fooled] == 500).all()
        assert (result.forward[result.fooled] < 500).all()
        assert (result.backward == 0).all()


@pytest.mark.parametrize("names", [("depth",), ("rgb", "depth")])
@pytest.mark.parametrize("windows", ["same", "alternate"])
def test_square_share_of_the_linf_optimum(names, windows):
    w, inputs = weights(3), middle(3)
    threat = {name: Budget(eps=0.1) for name in names}
    result = square(gains(w, NEVER), inputs, threat, queries=800, windows=windows)
    best = sum(0.1 * w[name].abs().flatten(1).sum(1) for name in names)
    audit(result.inputs, inputs, threat)
    assert (result.loss <= best + 1e-9).all()
    assert (result.loss >= (0.75 if len(names) > 1 else 0.9) * best).all()
    assert (result.forward == 800).all()


def test_square_share_of_the_l2_optimum():
    w, inputs = weights(3), middle(3)
    threat = {"rgb": Budget("l2", 0.5), "depth": Budget("l2", 0.2)}
    result = square(gains(w, NEVER), inputs, threat, queries=500)
    best = 0.5 * w["rgb"].flatten(1).norm(dim=1) + 0.2 * w["depth"].flatten(1).norm(dim=1)
    audit(result.inputs, inputs, threat)
    assert (result.loss >= 0.4 * best).all()  # bumps of 3x3 and more cannot follow weights that differ at each pixel
    for name, budget in threat.items():
        assert torch.allclose(length(result.inputs[name] - inputs[name], budget), torch.tensor(budget.eps).double())


@pytest.mark.parametrize("unit", ["pixel", "value"])
def test_sparse_share_of_the_optimum(unit):
    w, inputs = weights(3), middle(3)
    threat = {"rgb": Budget("l0", 5, unit=unit), "depth": Budget("l0", 3)}
    result = sparse_rs(gains(w, NEVER), inputs, threat, queries=600)
    audit(result.inputs, inputs, threat)
    rgb = w["rgb"].abs()
    rgb = rgb.sum(1) if unit == "pixel" else rgb
    best = 0.5 * (rgb.flatten(1).topk(5).values.sum(1) + w["depth"].abs().flatten(1).topk(3).values.sum(1))
    assert (result.loss <= best + 1e-9).all()
    assert (result.loss >= 0.85 * best).all()


def test_a_radius_for_each_sample_does_not_bind_its_neighbours():
    w, inputs = weights(3), middle(3)
    radius = torch.tensor([2.0, 9.0, 0.0]).view(-1, 1, 1, 1)
    ids = ["a", "b", "c"]
    whole = sparse_rs(gains(w, NEVER), inputs, {"rgb": Budget("l0", radius)}, queries=90, sample_ids=ids)
    first = {name: value[:1] for name, value in inputs.items()}
    alone = sparse_rs(
        gains(w, NEVER).select(torch.tensor([0])), first, {"rgb": Budget("l0", 2)}, queries=90, sample_ids=["a"]
    )
    assert torch.equal(alone.inputs["rgb"][0], whole.inputs["rgb"][0])
    assert (length(whole.inputs["rgb"] - inputs["rgb"], Budget("l0", 1)) <= radius.flatten()).all()


def test_who_is_fooled_asks_no_more():
    """The model is called as often as the sample that stands longest asks; each sample keeps the point that fooled."""
    w, inputs = weights(4), middle(4)
    threshold = torch.tensor([0.01, 1.0, 1.2, NEVER], dtype=torch.float64)
    problem = gains(w, threshold)
    result = square(problem, inputs, {"depth": Budget(eps=0.2)}, queries=300)
    assert result.fooled.tolist() == [True, True, True, False]
    assert result.forward.tolist() == sorted(result.forward.tolist())
    assert result.forward[0] < result.forward[2] < 300
    assert result.forward[3] == 300
    assert torch.equal(problem.fooled(problem.forward(result.inputs)), result.fooled)


def test_windows_reach_every_place():
    """The last row and the last column too, in images that are not square."""
    limits = ball(torch.full((1, 2, 5, 9), 0.5), Budget(eps=0.1))
    places = torch.tensor([[0.0, 0.0], [0.999999, 0.999999]])
    covered = [
        squares.change(limits, limits.clean, 4 / 45, place[None], torch.tensor([[0.1, 0.9, 0.0]])) != limits.clean
        for place in places
    ]
    assert covered[0][0, 0].nonzero().tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert covered[1][0, 0].nonzero().tolist() == [[3, 7], [3, 8], [4, 7], [4, 8]]
    assert squares.side_of(1.0, 5, 9) == 5


def test_no_window_changes_nothing():
    limits = ball(torch.full((6, 3, 4, 4), 0.5), Budget(eps=0.1))
    numbers = torch.linspace(0, 0.99, 24).view(6, 4)
    once = squares.change(limits, limits.clean, 1.0, torch.zeros(6, 2), numbers)
    again = squares.change(limits, once, 1.0, torch.zeros(6, 2), numbers)
    assert (once != again).flatten(1).any(1).all()


def test_bumps():
    shape = bumps.bump(5, torch.zeros(1))
    assert shape.norm().item() == pytest.approx(1)
    assert (shape[:2] > 0).all()
    assert (shape[2:] < 0).all()
    ratio = shape[1, 2] / shape[1, 1]  # the middle and the ring around it
    assert ratio.item() == pytest.approx((1 + 1 / 4 + 1 / 9) / (1 / 4 + 1 / 9))


def test_picks_are_members_and_differ():
    pool = torch.rand(50, 30, generator=torch.Generator().manual_seed(0)) < 0.5
    count = torch.arange(50) % 6
    picks = _picked(pool, count, *torch.rand(50, 9, generator=torch.Generator().manual_seed(1)).split([8, 1], 1))
    hits = torch.zeros(50, 31).scatter_add_(1, picks, torch.ones(50, 8))
    assert torch.equal(hits[:, :30].sum(1), count.float())
    assert (hits[:, :30] <= pool).all()


@pytest.mark.parametrize(
    ("attack", "settings", "text"),
    [
        (square, {"queries": 0}, "--queries 0 asks nothing; pass 1 or more"),
        (square, {"share": 0.0}, "--share 0: pass the share of the image in the first change, above 0, up to 1"),
        (square, {"score": "logit"}, 'no score "logit"; it is one of gap, objective'),
        (square, {"windows": "both"}, 'no windows "both"; pass same or alternate'),
        (sparse_rs, {"queries": -1}, "--queries -1 asks nothing"),
    ],
)
def test_settings(attack, settings, text):
    problem, inputs = toy()
    norm = "l0" if attack is sparse_rs else "linf"
    with pytest.raises(UsageError, match=re.escape(text)):
        attack(problem, inputs, {"rgb": Budget(norm, 1)}, **settings)


def test_vectors_are_no_images():
    problem = ClassProblem(lambda x: x["image"], torch.zeros(2, dtype=torch.long))
    with pytest.raises(
        UsageError, match=r'input "image" has shape \(2, 6\); attack "square" changes images \(B,C,H,W\)'
    ):
        square(problem, {"image": torch.full((2, 6), 0.5)}, {"image": Budget()})


def test_one_query_is_the_start():
    w, inputs = weights(2), middle(2)
    result = square(gains(w, NEVER), inputs, {name: Budget(eps=0.1) for name in SHAPES}, queries=1)
    assert (result.forward == 1).all()
    assert torch.allclose((result.inputs["rgb"] - 0.5).abs(), torch.tensor(0.1, dtype=torch.float64))
