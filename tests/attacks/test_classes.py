"""Classifiers: what each class objective rewards, and when a sample counts as fooled."""

import torch
from torch import nn

from rgbdsod.attacks import Budget, ClassProblem, pgd
from rgbdsod.attacks.scores import Scores, ce, dlr, margin

LOGITS = torch.tensor([[-3.0, -1.0, -2.0, -5.0], [4.0, 1.0, 3.0, 0.0]], dtype=torch.float64)
LABELS = torch.tensor([1, 2])


def test_margin_leaves_the_label_out_by_minus_infinity():
    """All logits negative: multiplying the label's by 0 would make it the largest."""
    assert margin(Scores(LOGITS, LABELS)).tolist() == [-1.0, 1.0]
    assert margin(Scores(LOGITS, LABELS, targeted=True)).tolist() == [1.0, -1.0]


def test_cross_entropy_is_lowered_towards_a_target():
    away, toward = ce(Scores(LOGITS, LABELS)), ce(Scores(LOGITS, LABELS, targeted=True))
    expected = LOGITS.logsumexp(1) - LOGITS.gather(1, LABELS[:, None])[:, 0]
    assert torch.allclose(away, expected)
    assert torch.equal(toward, -away)


def test_dlr_is_blind_to_shift_and_scale():
    for targeted in (False, True):
        truth = torch.tensor([0, 0])
        one, other = (dlr(Scores(z, LABELS, targeted, truth)) for z in (LOGITS, 7 * LOGITS + 30))
        assert torch.allclose(one, other)
    tie = torch.zeros(1, 4)
    assert torch.isfinite(dlr(Scores(tie, torch.tensor([0])))).all()


def test_fooled_and_margins():
    away = ClassProblem(lambda x: x, LABELS)
    assert away.fooled(LOGITS).tolist() == [False, True]
    assert away.margins(LOGITS).tolist() == [[2.0, float("inf"), 1.0, 4.0], [-1.0, 2.0, float("inf"), 3.0]]
    toward = ClassProblem(lambda x: x, LABELS, targeted=True)
    assert toward.fooled(LOGITS).tolist() == [True, False]
    assert torch.equal(toward.margins(LOGITS), -away.margins(LOGITS))


def test_two_classes_and_selection():
    network = nn.Linear(4, 2).double()
    problem = ClassProblem(
        lambda x: network(x["image"]), torch.tensor([0, 1, 0]), objective="margin", modules=(network,)
    )
    inputs = {"image": torch.full((3, 4), 0.5, dtype=torch.float64)}
    result = pgd(problem, inputs, {"image": Budget(eps=0.5)})
    gap = (network.weight[1] - network.weight[0]).abs().sum() / 2
    start = problem.loss(problem.forward(inputs))
    assert torch.allclose(result.loss, start + gap)
    assert all(weight.requires_grad and weight.grad is None for weight in network.parameters())
    some = problem.select(torch.tensor([1]))
    assert torch.allclose(some.loss(some.forward({"image": inputs["image"][:1]})), start[1:2])
