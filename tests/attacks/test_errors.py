"""What a user can get wrong, and the sentence that tells the fix."""

import re
from types import SimpleNamespace

import pytest
import torch
from attacks_networks import Classifier, Pair, Saliency, seeded
from attacks_problems import scene, toy
from torch import nn

from rgbdsod.attacks import Budget, ClassProblem, MapProblem, ScoreProblem, ddn, fgsm, ifgsm, mifgsm, noise, pgd, rfgsm
from rgbdsod.attacks.bpda import Bpda, bpda
from rgbdsod.attacks.budget import check_eps
from rgbdsod.attacks.measure import audit
from rgbdsod.attacks.quantise import quantise
from rgbdsod.attacks.success import parse_success
from rgbdsod.attacks.threat import threat
from rgbdsod.errors import CheckError, UsageError, WeightsError

BOTH = {"rgb": Budget(), "depth": Budget()}


def says(text: str, kind: type[Exception] = UsageError):
    return pytest.raises(kind, match=f"^{re.escape(text)}")


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"eps": 8}, "--eps 8 is larger than the whole range [0, 1]; did you mean 8/255?"),
        ({"eps": 1.5}, "--eps 1.5 is larger than the whole range [0, 1]; did you mean 1.5/255?"),
        ({"eps": 300}, "--eps 300 is larger than the whole range [0, 1]; pass a fraction such as 8/255"),
        ({"eps": -0.1}, "--eps -0.1 is not a radius; pass 0 or more, for example 8/255"),
        ({"eps": float("nan")}, "--eps nan is not a radius; pass 0 or more, for example 8/255"),
        (
            {"eps": float("inf")},
            "--eps inf is larger than the whole range [0, 1]; pass a fraction such as 8/255",
        ),
        ({"norm": "l3"}, 'no norm "l3"; norms are linf, l2, l1, l0'),
        ({"norm": "l0", "eps": 0.1}, "--eps 0.1 with norm l0 counts positions; pass a whole number, for example 100"),
        ({"norm": "l0", "eps": 4, "unit": "byte"}, 'no unit "byte" for l0; pass "pixel" or "value"'),
        ({"eps": torch.tensor([0.1, 8.0])}, "--eps 8 is larger than the whole range [0, 1]; did you mean 8/255?"),
        (
            {"norm": "l2", "eps": torch.ones(1, 1, 4, 4)},
            "a radius per pixel goes with norm linf, not l2; pass one radius",
        ),
        (
            {"mask": torch.tensor([0.5])},
            "a budget's mask has values other than 0 and 1; pass 1 where the input may change",
        ),
        ({"levels": 256}, "levels 256: pass the highest code, 255 for 8 bit or 65535 for 16 bit"),
    ],
)
def test_budget(settings, text):
    with says(text):
        Budget(**settings)


def test_the_flag_that_was_typed_is_named():
    with says("--eps-depth 16 is larger than the whole range [0, 1]; did you mean 16/255?"):
        threat("both", {"rgb": 0.1, "depth": 16})
    with says("--eps 20 is larger"):
        check_eps(20)
    check_eps(1.0)
    check_eps(0.0)


def test_threat():
    with says("--modality thermal: bbsnet has inputs rgb, depth"):
        threat("thermal", model="bbsnet")
    with says("--eps names rgb, but depth is attacked too; pass --eps-depth"):
        threat("both", {"rgb": 0.1})


def test_modality_of_a_problem():
    problem, inputs = toy()
    with says("--modality thermal: toy has inputs rgb, depth"):
        pgd(problem, inputs, {"thermal": Budget()})


@pytest.mark.parametrize(
    ("name", "change", "text"),
    [
        (
            "rgb",
            lambda x: 4.76 * x - 2.12,
            'input "rgb" has values from -2.12 to 2.6',
        ),
        ("rgb", lambda x: 255 * x, 'input "rgb" has values from 0'),
        ("depth", lambda x: x / 0, 'input "depth" has '),
        ("depth", lambda x: torch.where(x > 0.5, torch.nan, x), 'input "depth" has NaN values; pass images in [0, 1]'),
        ("rgb", lambda x: (255 * x).byte(), 'input "rgb" is uint8; pass a float tensor in [0, 1]'),
        ("rgb", lambda x: x.numpy(), 'input "rgb" is ndarray; pass a float tensor in [0, 1]'),
        ("rgb", lambda x: x[:0], 'input "rgb" has shape (0, 3, 16, 16); pass at least one sample, (B,C,H,W)'),
        ("rgb", lambda x: x[:2], "inputs have different numbers of samples: rgb 2, depth 4"),
    ],
)
def test_inputs(name, change, text):
    problem, inputs = toy()
    with says(text):
        pgd(problem, {**inputs, name: change(inputs[name])}, BOTH)


def test_range_message_is_the_published_one():
    problem, inputs = toy()
    rgb = inputs["rgb"].clone()
    rgb[0, 0, 0, 0], rgb[0, 0, 0, 1] = -2.12, 2.64
    text = 'input "rgb" has values from -2.12 to 2.64; pass images in [0, 1], the model normalises them itself'
    with says(text):
        pgd(problem, {**inputs, "rgb": rgb}, {"depth": Budget()})


def test_missing_and_unknown_inputs():
    problem, inputs = toy()
    with says('input "depth" is missing; toy has inputs rgb, depth'):
        pgd(problem, {"rgb": inputs["rgb"]}, {"rgb": Budget()})
    with says('no input "hha"; toy has inputs rgb, depth'):
        pgd(problem, {**inputs, "hha": inputs["rgb"]}, {"rgb": Budget()})


def test_nan_of_the_model_names_step_and_sample():
    class Failing(MapProblem):
        calls = 0

        def forward(self, inputs):
            Failing.calls += 1
            logits = super().forward(inputs)
            if Failing.calls == 4:
                logits[2] = logits[2] * torch.nan
            return logits

    inputs, masks = scene()
    problem = Failing(seeded(Saliency()), masks)
    text = (
        'toy gave a loss that is not finite at step 3 of restart 1 for sample "c"; '
        "check its weights, or try --dtype float32"
    )
    with says(text, WeightsError):
        pgd(problem, inputs, BOTH, steps=6, sample_ids=["a", "b", "c", "d"])
    assert all(weight.requires_grad for weight in problem.modules[0].parameters())


@pytest.mark.parametrize(
    ("score", "named"),
    [
        (lambda x: x["rgb"].detach().mean((1, 2, 3)), "rgb"),
        (lambda x: x["rgb"].mean((1, 2, 3)), "depth"),
        (lambda x: x["depth"].mean((1, 2, 3)) + x["rgb"].round().detach().mean((1, 2, 3)), "rgb"),
    ],
)
def test_no_gradient(score, named):
    _, inputs = toy()
    with says(
        f'no gradient reaches input "{named}": the model cuts the graph, or ignores this input (detach, rounding'
    ):
        pgd(ScoreProblem(score), inputs, BOTH)


class Rounding(nn.Module):
    def forward(self, x):
        return x.detach().round()


class Cut(nn.Module):
    """Cuts the graph of depth at one place."""

    inputs = ("rgb", "depth")

    def __init__(self, where: str) -> None:
        super().__init__()
        self.first, self.round, self.last = nn.Conv2d(1, 2, 1), Rounding(), nn.Conv2d(5, 1, 1)
        self.where = where

    def forward(self, inputs):
        depth = inputs["depth"].detach() if self.where == "before" else inputs["depth"]
        depth = self.first(depth)
        depth = {"layer": self.round, "between": torch.Tensor.detach}.get(self.where, lambda x: x)(depth)
        out = self.last(torch.cat([inputs["rgb"], depth], 1))
        return out.detach() if self.where == "after" else out


@pytest.mark.parametrize(
    ("where", "text"),
    [
        ("layer", 'layer "round" cuts the graph'),
        ("between", 'the graph is cut after layer "first" and before "last"'),
        ("before", 'no layer from "first" on is reached'),
        ("after", 'the graph is cut after layer "last"'),
    ],
)
def test_the_layer_that_cuts_the_graph_is_named(where, text):
    inputs, masks = scene()
    network = seeded(Cut(where))
    with says(f'no gradient reaches input "depth": {text} (detach, rounding, argmax, NumPy); give that part a'):
        pgd(MapProblem(network, masks), inputs, {"depth": Budget()})
    assert not network.round._forward_hooks


def test_a_substitute_mends_it():
    inputs, masks = scene()
    network = seeded(Cut("layer"))
    before = network(inputs)
    with bpda(network, round=None):
        assert torch.equal(network(inputs), before)
        result = pgd(MapProblem(network, masks), inputs, {"depth": Budget(eps=0.5)}, steps=5)
    assert (result.loss > result.start_loss).all()
    network.round = Bpda(Rounding(), torch.tanh)
    assert (pgd(MapProblem(network, masks), inputs, {"depth": Budget(eps=0.5)}, steps=5).loss > result.start_loss).all()


def test_substitutes_that_do_not_fit():
    with says('no layer "rounds" in the model; its layers are first, round, last'), bpda(Cut("layer"), rounds=None):
        pass
    with says("a layer returned (4,) and its substitute (2,); pass one of equal shape"):
        Bpda(torch.round, lambda x: x[:2])(torch.zeros(4))


def test_labels():
    inputs, _ = scene()
    network = seeded(Pair())
    for labels in (torch.zeros(4), torch.full((4,), -1), torch.zeros(4, 1, dtype=torch.int64)):
        with says("labels of shape"):
            ClassProblem(network, labels, inputs=("rgb", "depth"))
    with says("a label is 4, but Pair has 4 classes, from 0 on"):
        pgd(ClassProblem(network, torch.full((4,), 4), inputs=("rgb", "depth")), inputs, BOTH)
    same = torch.zeros(4, dtype=torch.int64)
    with says("a target is the true class itself"):
        ClassProblem(network, same, targeted=True, truth=same, inputs=("rgb", "depth"))


def test_a_problem_without_margins():
    problem, inputs = toy()
    own = SimpleNamespace(**{name: getattr(problem, name) for name in ("name", "inputs", "modules", "forward", "loss")})
    with says('attack "ddn" needs margins: toy has no gap(outputs)'):
        ddn(own, inputs, {"depth": Budget("l2", 1.0)})


@pytest.mark.parametrize("score", [lambda x: x["rgb"].mean(), lambda x: x["rgb"].mean((1, 2, 3))[:3]])
def test_loss_of_another_shape(score):
    _, inputs = toy()
    with pytest.raises(UsageError, match=r"the loss has shape \(.*\); return one value per sample, \(4,\)"):
        pgd(ScoreProblem(score), inputs, {"rgb": Budget()})


@pytest.mark.parametrize(
    ("attack", "settings", "text"),
    [
        (pgd, {"steps": -1}, "--steps -1 is too few; pass 1 or more"),
        (pgd, {"restarts": 0}, "--restarts 0 runs nothing; pass 1 or more"),
        (pgd, {"restarts": 2, "random_start": False}, "--restarts 2 all start from the clean input; use 1 restart, or"),
        (pgd, {"restarts": 2, "keep": "unseen"}, '--restarts 2 cannot be compared with keep="unseen"; use 1 restart'),
        (pgd, {"keep": "worst"}, 'no keep "worst"; it is one of best, last, unseen'),
        (pgd, {"step_size": 0.0}, "--step-size 0 does not move; pass a size above 0, for example 2/255"),
        (pgd, {"step_size": {"rgb": 0.1}}, "--step-size names rgb, but depth is attacked too"),
        (pgd, {"sample_ids": ["a"]}, "1 sample ids for 4 samples; pass one id per sample"),
        (pgd, {"precision": "int8"}, 'no precision "int8"; precisions are float32, bfloat16, float16'),
        (ifgsm, {"step_size": -1.0}, "--step-size -1 does not move"),
        (mifgsm, {"steps": -2}, "--steps -2 is too few"),
        (rfgsm, {"share": 1.0}, "--share 1 leaves nothing to one of the two steps; pass a number between 0 and 1"),
        (noise, {"draws": 0}, "--draws 0 tries nothing; pass 1 or more"),
        (noise, {"kind": "pink"}, 'no noise "pink"; kinds are uniform, sign'),
    ],
)
def test_settings(attack, settings, text):
    problem, inputs = toy()
    with says(text):
        attack(problem, inputs, BOTH, **settings)


@pytest.mark.parametrize("shape", [(1, 1, 4, 4), (3, 1, 16, 16), (1, 2, 16, 16)])
def test_mask_and_radius_of_another_shape(shape):
    problem, inputs = toy()
    with says(f"a budget's mask of shape {shape} does not fit the input's (4, 3, 16, 16)"):
        pgd(problem, inputs, {"rgb": Budget(mask=torch.ones(shape))})
    with says(f"a budget's eps of shape {shape} does not fit the input's (4, 3, 16, 16)"):
        pgd(problem, inputs, {"rgb": Budget(eps=torch.full(shape, 0.1))})


def test_map_problem():
    network, (inputs, masks) = seeded(Saliency()), scene()
    with says('no objective "bec"; did you mean "bce"?'):
        MapProblem(network, masks, objective="bec")
    with says('no goal "erase"; goals are untargeted, hide, paint'):
        MapProblem(network, masks, goal="erase")
    with says('goal "paint" needs target map'):
        MapProblem(network, masks, goal="paint")
    with says('goal "hide" takes no target map'):
        MapProblem(network, masks, goal="hide", target=masks)
    with says("masks of shape (4, 16, 16); pass (B,1,H,W)"):
        MapProblem(network, masks[:, 0])
    with says("masks has values from 0 to 255; pass maps in [0, 1]"):
        MapProblem(network, 255 * masks)
    with says("target of shape (4, 1, 8, 8); pass (4, 1, 16, 16)"):
        MapProblem(network, masks, goal="paint", target=masks[..., :8, :8])
    with pytest.raises(
        UsageError, match=r"returned \(4, 3, 16, 16\), expected logits of the masks' shape \(4, 1, 16, 16\)"
    ):
        fgsm(MapProblem(lambda x: x["rgb"], masks), inputs, BOTH)


def test_class_problem():
    image = {"image": torch.full((4, 3, 12, 12), 0.5)}
    labels, threat_ = torch.tensor([0, 1, 0, 1]), {"image": Budget()}
    with pytest.raises(UsageError, match="has one score per sample, expected 2 classes or more; use ScoreProblem"):
        fgsm(ClassProblem(lambda x: x["image"].mean((1, 2, 3))[:, None], labels), image, threat_)
    with pytest.raises(
        UsageError, match=r"returned \(4, 3, 12, 12\), expected class scores \(B,K\); for maps use MapProblem"
    ):
        fgsm(ClassProblem(lambda x: x["image"], labels), image, threat_)
    two = ClassProblem(lambda x: x["image"].mean((2, 3))[:, :2], labels, objective="dlr")
    assert torch.isfinite(fgsm(two, image, threat_).loss).all()
    ten = ClassProblem(seeded(Classifier()), labels, objective="dlr", targeted=True)
    with says("a targeted dlr compares the target with the true class; pass truth=LABELS as well"):
        fgsm(ten, image, threat_)
    three = ClassProblem(lambda x: x["image"].mean((2, 3)), labels, objective="dlr", targeted=True)
    with says("a targeted dlr needs 4 classes or more, the model has 3; use objective margin"):
        fgsm(three, image, threat_)


@pytest.mark.parametrize(
    "text", ["", "iou", "iou<", "iou<x", "dice<0.5", "iou=0.5", "target-iou", "iou<0.5.1", "iou<."]
)
def test_success_rule(text):
    with says(f'--success "{text}" is no rule; write MEASURE<NUMBER or MEASURE>=NUMBER, for example iou<0.5'):
        parse_success(text)


def test_quantise_needs_a_grid():
    with says("no grid to round to; pass levels=255 for 8 bit or levels=65535 for 16 bit"):
        quantise(torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 2, 2), Budget())


def test_audit():
    clean = {"rgb": torch.full((1, 3, 4, 4), 0.5), "depth": torch.full((1, 1, 4, 4), 0.5)}
    moved = {**clean, "rgb": clean["rgb"] + 0.05}
    assert audit(moved, clean, {"rgb": Budget(eps=0.05)})["rgb"].item() == pytest.approx(0.05)
    with says('adversarial input "rgb" is 0.01 beyond its radius', CheckError):
        audit(moved, clean, {"rgb": Budget(eps=0.04)})
    with says('adversarial input "rgb" is', CheckError):
        audit(moved, clean, {"rgb": Budget("l2", 0.3)})
    with says('input "rgb" was not to be attacked, but it changed', CheckError):
        audit(moved, clean, {"depth": Budget()})
    with says('adversarial input "rgb" changed where its mask forbids it', CheckError):
        audit(moved, clean, {"rgb": Budget(eps=0.1, mask=torch.zeros(1, 1, 4, 4))})
    with says('adversarial input "rgb" leaves [0, 1]', CheckError):
        audit({**clean, "rgb": clean["rgb"] + 0.6}, clean, {"rgb": Budget(eps=0.7)})
