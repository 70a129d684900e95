"""Several attacks together: each sample's worst, who leaves, what is suspicious."""

import pytest
import torch
from attacks_networks import Classifier, Saliency, filled, seeded
from attacks_problems import gains, middle, scene, toy, weights
from torch import nn

from rgbdsod.attacks import Budget, ClassProblem, MapProblem, audit
from rgbdsod.attacks.suites.apgdt import apgdt
from rgbdsod.attacks.suites.autoattack import autoattack
from rgbdsod.attacks.suites.member import Member
from rgbdsod.attacks.suites.worst import worst_case
from rgbdsod.errors import UsageError

THREAT = {"rgb": Budget(eps=4 / 255), "depth": Budget(eps=16 / 255)}


def test_fooled_samples_leave_and_the_first_winner_is_named():
    """Thresholds decide who is fooled by a weak attack and who by the strong one only."""
    w, inputs = weights(3), middle(3)
    best = 0.1 * w["depth"].abs().flatten(1).sum(1)
    members = [Member("noise", label="weak"), Member("pgd", {"steps": 10}), Member("fgsm")]
    problem = gains(w, threshold=torch.tensor([-1.0, 0.9, 2.0]) * best)
    result = worst_case(problem, inputs, {"depth": Budget(eps=0.1)}, members)
    assert result.fooled.tolist() == [True, True, False]
    assert result.given == (2, 2, 1)
    assert result.fooled_by == (0, 1, 0)
    assert result.winner.tolist()[:2] == [-1, 1]
    assert torch.allclose(result.loss[2], best[2])
    assert torch.equal(result.inputs["depth"][0], inputs["depth"][0])
    assert result.forward[0] < result.forward[1] < result.forward[2]
    audit(result.inputs, inputs, {"depth": Budget(eps=0.1)})


def test_to_the_end_keeps_the_worst_value():
    problem, inputs = toy()
    members = [Member("pgd", {"steps": 5}, objective) for objective in ("bce", "js", "masked-bce")]
    result = worst_case(problem, inputs, THREAT, members, until="end")
    assert result.given == (4, 4, 4)
    alone = [worst_case(problem, inputs, THREAT, [member], until="end").loss for member in members]
    assert torch.allclose(result.loss, torch.stack(alone).amax(0))
    assert (result.trace[0].diff(dim=0) >= 0).all()


def test_a_sample_alone_and_in_a_suite():
    problem, inputs = toy()
    members = [Member("pgd", {"steps": 4}), Member("noise", {"draws": 3})]
    whole = worst_case(problem, inputs, THREAT, members, sample_ids=list("abcd"))
    index = torch.tensor([2])
    part = worst_case(
        problem.select(index), {name: x[index] for name, x in inputs.items()}, THREAT, members, sample_ids=["c"]
    )
    assert torch.allclose(part.loss, whole.loss[index], rtol=1e-5)


def test_towards_each_rival_beside_the_reference(shared, golden):
    """As many samples fooled as by the published implementation, over its seeds."""
    problem = ClassProblem(filled(Classifier(), shared), golden["cls_y"].long())
    inputs = {"image": golden["cls_x"].double()}
    threat = {"image": Budget(eps=float(golden["eps"]))}
    theirs = (
        golden["apgdt_success_seeds"].double().flatten(1).mean(0)
        if golden["apgdt_success_seeds"].ndim > 1
        else golden["apgdt_success_seeds"].double()
    )
    ours = apgdt(problem, inputs, threat).fooled
    assert torch.equal(ours, theirs > 0.5)


def test_standard_on_few_classes():
    """Two classes have neither a DLR nor nine rivals."""
    inputs, _ = scene(4)
    network = seeded(nn.Sequential(nn.Flatten(), nn.Linear(4 * 256, 2)))
    forward = lambda x: 20 * network(torch.cat([x["rgb"], x["depth"]], 1))  # noqa: E731
    problem = ClassProblem(forward, forward(inputs).argmax(1), inputs=("rgb", "depth"), modules=(network,))
    result = autoattack(problem, inputs, THREAT, steps=5, queries=20)
    assert result.members == ("apgd-ce (5 steps)", "apgd-t (5 steps)", "fab-t (5 steps)", "square (20 queries)")
    audit(result.inputs, inputs, THREAT)


@pytest.mark.parametrize("version", ["auto", "sea"])
def test_maps(version):
    problem, inputs = toy()
    result = autoattack(problem, inputs, THREAT, version=version, steps=4, queries=10)
    assert (result.loss >= result.start_loss).all()
    assert all(name.endswith(("(4 steps)", "(10 queries)")) for name in result.members)
    assert len(result.members) == (7 if version == "auto" else 3)
    assert not result.notes
    audit(result.inputs, inputs, THREAT)


class Random(Saliency):
    """Answers differently each time."""

    def fuse(self, features, size):
        out = super().fuse(features, size)
        return out + 0.5 * torch.randn(out.shape, generator=torch.Generator().manual_seed(self.fused))


class Rounded(nn.Module):
    """Rounds its scores: gradients are 0 where the graph is not cut."""

    inputs = ("rgb", "depth")

    def forward(self, inputs):
        total = inputs["rgb"].mean((2, 3)).sum(1, keepdim=True) + inputs["depth"].mean((2, 3))
        saturated = torch.sigmoid(1e6 * torch.cat([total - 1.9, 1.9 - total], 1))
        return saturated / saturated.sum(1, keepdim=True)


def test_suspicious_models():
    inputs, masks = scene()
    notes = autoattack(MapProblem(seeded(Random()), masks), inputs, THREAT, steps=2, queries=2).notes
    assert any("answers differently" in note for note in notes)
    labels = Rounded()(inputs).argmax(1)
    notes = autoattack(
        ClassProblem(Rounded(), labels, inputs=("rgb", "depth")), inputs, THREAT, steps=2, queries=9
    ).notes
    assert any("exactly 0" in note for note in notes)
    assert any("look like probabilities" in note for note in notes)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"version": "plus"}, 'no version "plus"; versions are auto, standard, rand, saliency, sea'),
        ({"version": "standard"}, 'version "standard" is not for maps'),
        ({"steps": 0}, "--steps 0 attacks nothing"),
        ({"queries": 0}, "--queries 0 attacks nothing"),
    ],
)
def test_settings(settings, text):
    problem, inputs = toy()
    with pytest.raises(UsageError, match=text):
        autoattack(problem, inputs, THREAT, **settings)


def test_a_suite_of_nothing():
    with pytest.raises(UsageError, match="a worst case over no attacks"):
        worst_case(gains(weights()), middle(), {}, [])


def test_maps_have_no_rivals():
    problem, inputs = toy()
    with pytest.raises(UsageError, match="toy has no class scores to lead to; use apgd"):
        apgdt(problem, inputs, THREAT)
