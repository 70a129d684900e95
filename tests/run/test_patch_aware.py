"""Attacks that know the defence: each has its effect, and hidden gradients do not save a defence."""

from dataclasses import dataclass

import pytest
import torch
from run_models import tiny

from rgbdsod.attacks import Patch
from rgbdsod.attacks.patch.natural.family import LATENT
from rgbdsod.attacks.patch.steering import Wish
from rgbdsod.datasets import load_dataset
from rgbdsod.defenses import patch_defense
from rgbdsod.defenses.patch.cross.streams import by_replacement
from rgbdsod.defenses.patch.entropy import window_entropies
from rgbdsod.defenses.patch.lgs import edges
from rgbdsod.defenses.patch.purifier import Filter
from rgbdsod.errors import UsageError
from rgbdsod.run import defend_patches
from rgbdsod.run.patch_defense.aware.beacon import Beacon
from rgbdsod.run.patch_defense.aware.campaign import Campaign, Hit, make_patches
from rgbdsod.run.patch_defense.aware.even import Even
from rgbdsod.run.patch_defense.aware.object_ import MaskObject
from rgbdsod.run.patch_defense.aware.streams import Streams
from rgbdsod.run.patch_defense.aware.table import FILTER, PLANS, VARIANTS, plan
from rgbdsod.run.patch_defense.aware.unseen import Unseen
from rgbdsod.run.patch_defense.behind import Behind, behind
from rgbdsod.run.patch_defense.choice import GuardChoice, PatchChoice
from rgbdsod.run.patch_defense.lineup import Entry
from rgbdsod.run.patch_defense.saliency import SaliencySubject
from rgbdsod.run.patch_defense.watched import Watched

CHOICE = GuardChoice(patch=PatchChoice(where="random", size="15%", steps=8), penalties=(1.0,))


@pytest.fixture(scope="module")
def subject():
    data = load_dataset("scenes:2@48x48#3")
    return SaliencySubject(tiny(), [data[0], data[1]], "hide")


def patches(subject, purifier, aim=None, **settings):
    problem = Behind(subject.problem, purifier, aim=aim, objects=subject.objects)
    return make_patches(subject, problem, {**CHOICE.patch.parameters(), **settings}, CHOICE, range(2))


def campaign(subject, purifier, choice=CHOICE):
    base = patches(subject, patch_defense("none"))
    looks, mask = behind(purifier, base.inputs, subject, base.mask)
    hits = [Hit("unaware", look, base, row, mask[row]) for row, look in enumerate(looks)]
    return Campaign(subject, Entry(purifier.name, "", purifier), choice, hits)


@dataclass(frozen=True, eq=False, kw_only=True)
class Turned(Filter):
    """Leaves images as they are, and turns the gradient round: a planted mask before gradients."""

    name = "turned"

    def filter(self, image):
        return image.detach() - (image - image.detach())


def test_scores_break_what_hides_its_gradient(subject):
    found = {}
    for search in ("gradient", "spsa"):
        choice = GuardChoice(
            patch=PatchChoice(where="random", size="15%", steps=10), penalties=(1.0,), search=search, queries=24
        )
        own = campaign(subject, Turned(), choice)
        own.run()
        names = {hit.name for hits in own.hits for hit in hits}
        assert ("spsa" in names) == (search == "spsa")
        problem = Behind(subject.problem, Turned(), objects=subject.objects)
        losses = [[float(hit.result.loss[hit.row]) for hit in hits[1:]] for hits in own.hits]
        found[search] = torch.tensor([max(values) for values in losses])
        cold = torch.tensor([values[2] for values in losses])
        assert problem.name.endswith("turned")
    assert (found["spsa"] > found["gradient"]).all()
    transfer = torch.tensor([float(hits[0].result.loss[hits[0].row]) for hits in own.hits])
    assert (transfer > cold).all()  # the unaware patch is worse for it than one that trusts its gradient


def test_the_worst_is_never_better_than_any(subject):
    own = campaign(subject, patch_defense("lgs", threshold=0.05))
    own.run()
    for hits, worst, alone in zip(own.hits, own.worst(), own.alone(), strict=True):
        assert worst.look.held == min(hit.look.held for hit in hits)
        assert alone.look.held >= worst.look.held
        assert not hits[0].cold
        assert [hit.name for hit in hits[1:]] == ["even", "through", "unseen 1", "slip", "beacon", "onward"]
    assert (own.passes > 0).all()


def test_broken_images_are_not_attacked_again(subject):
    class Low(SaliencySubject):
        floor = 1.0

    own = campaign(subject, patch_defense("median"))
    own.subject = Low.__new__(Low)
    vars(own.subject).update(vars(subject))
    own.run()
    assert [len(hits) for hits in own.hits] == [1, 1]
    assert own.passes.tolist() == [0, 0]


def test_even_colours_have_neither_edges_nor_entropy():
    family, numbers = Even(), torch.rand(2, 1, 3 * 32 * 32 + 1, generator=torch.Generator().manual_seed(0))
    even = (family.colours(numbers, (32, 32)) * 255).round() / 255
    free = numbers[:, 0, :-1].view(2, 3, 32, 32)
    assert family.variable == LATENT
    assert 0 <= even.min() <= even.max() <= 1
    assert even.std(1).mean() > 0.02  # they are colours
    grey = 0.299 * even[:, :1] + 0.587 * even[:, 1:2] + 0.114 * even[:, 2:]
    assert (grey - grey.mean((2, 3), keepdim=True)).abs().max() < 2 / 255
    assert window_entropies(even, 8, (1,))[0].max() < 2.5 < window_entropies(free, 8, (1,))[0].min()


def test_a_beacon_makes_other_edges_look_small():
    family, canvas = Beacon(), (16, 16)
    faint = 0.5 + 0.1 * (torch.rand(1, 1, 3 * 16 * 16, generator=torch.Generator().manual_seed(1)) - 0.5)
    lit = family.colours(faint, canvas)
    plain = faint.view(1, 3, *canvas)
    assert edges(lit)[..., :4, :].mean() < 0.3 * edges(plain)[..., :4, :].mean()
    assert torch.equal(lit[..., :6, :], plain[..., :6, :])


def test_unseen_rests_while_nothing_is_masked():
    score = torch.tensor([1.0, 1.0])
    hidden = torch.zeros(2, 1, 4, 4, dtype=torch.bool)
    hidden[..., :2, :] = True
    mask = torch.zeros(2, 1, 4, 4)
    mask[0, :, 0, 0] = 1
    mask[1, :, 3, 3] = 1  # beside the patch
    wish = Unseen(10.0)(Watched(None, score, mask, {}), hidden, None, patch_defense("lgs"))
    assert wish.weight.tolist() == pytest.approx([10.0, 0.2])
    assert torch.equal(wish.value, score)


def test_mask_the_object_counts_what_is_not_masked():
    objects = torch.zeros(1, 1, 4, 4, dtype=torch.bool)
    objects[..., :2, :] = True
    hidden, mask = torch.zeros_like(objects), torch.zeros(1, 1, 4, 4)
    hidden[..., 0, :] = True
    mask[..., 1, :2] = 1
    wish = MaskObject(2.0)(Watched(None, torch.zeros(1), mask, {}), hidden, objects, patch_defense("lgs"))
    assert isinstance(wish, Wish)
    assert (wish.value.item(), wish.weight.item()) == (0.5, 2.0)


def test_streams_asks_the_maps_of_each_input_alone(subject):
    guard = patch_defense("cross-gate", model=tiny()).calibrate(subject.inputs)
    image = subject.inputs["rgb"].clone().requires_grad_()
    problem = Behind(subject.problem, guard, aim=Streams(1.0), objects=subject.objects)
    seen = problem.forward({**subject.inputs, "rgb": image})
    wish = problem.steer(seen, torch.zeros_like(subject.objects))
    maps = by_replacement(guard.model, subject.inputs)
    inside = subject.objects.float()
    shown = ((maps.rgb + maps.depth) * inside).sum((1, 2, 3)) / inside.sum((1, 2, 3))
    assert torch.allclose(wish.value, shown, atol=1e-5)
    assert bool(torch.autograd.grad(wish.value.sum(), image)[0].abs().sum() > 0)


def test_plans_name_variants_and_fit_the_modality():
    assert {name for names in PLANS.values() for name in names} <= set(VARIANTS)
    jedi = Entry("jedi", "", patch_defense("jedi"))
    names = [one.name for one in plan(jedi, "rgb", scores=True)]
    assert names == [*PLANS["jedi"], "spsa"]
    assert "even" not in {one.name for one in plan(jedi, "depth", scores=False)}
    assert plan(Entry("oracle", "", patch_defense("oracle")), "rgb", scores=True) == []
    median = Entry("median", "", patch_defense("median"))
    assert [one.name for one in plan(median, "rgb", scores=False)] == list(FILTER)
    weights = [attack.name for attack in VARIANTS["unseen"].attacks((0.0, 0.1, 10.0))]
    assert weights == ["unseen 0.1", "unseen 10"]


def test_warm_starts_begin_at_the_unaware_patch(subject):
    own = campaign(subject, patch_defense("median"))
    own.run()
    for hits in own.hits:
        warm = next(hit for hit in hits if hit.name == "warm")
        assert isinstance(warm.patch, Patch)
        assert not warm.cold
        through = next(hit for hit in hits if hit.name == "through")
        start = [float(hit.result.start_loss[hit.row]) for hit in (warm, through)]
        assert start[0] > start[1]


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"search": "grid"}, "--search grid"),
        ({"queries": 5}, "--queries 5 makes no pairs"),
        ({"search": "spsa", "where": "worst"}, "--where worst looks at gradients"),
    ],
)
def test_searches_that_cannot_be(settings, text):
    with pytest.raises(UsageError, match=text):
        defend_patches(tiny(), "scenes:1@48x48#3", **settings)
