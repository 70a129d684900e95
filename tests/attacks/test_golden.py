"""Against numbers that other people's packages produced; see golden/README-attacks.md."""

import pytest
import torch
from attacks_networks import Classifier, Saliency, filled

from rgbdsod.attacks import Budget, ClassProblem, MapProblem, fgsm, ifgsm, mifgsm, pgd
from rgbdsod.attacks.pixels import Pixels, Reference, segpgd
from rgbdsod.attacks.projections import l1_box
from rgbdsod.attacks.scores import Scores, dlr

STEPS, EPS, ALPHA = 10, 8 / 255, 2 / 255


@pytest.fixture(scope="module")
def images(golden):
    return {"image": golden["cls_x"].double()}


@pytest.fixture(scope="module")
def classifier(shared):
    return filled(Classifier(), shared)


@pytest.fixture(scope="module")
def saliency(shared):
    return filled(Saliency(), shared)


def close(found: torch.Tensor, expected: torch.Tensor, tolerance: float = 1e-6) -> None:
    assert (found - expected).abs().max() <= tolerance


def test_classifier_itself(classifier, images, golden):
    problem = ClassProblem(classifier, golden["cls_y"])
    image = images["image"].clone().requires_grad_()
    outputs = problem.forward({"image": image})
    close(outputs, golden["cls_logits"], 1e-9)
    loss = problem.loss(outputs)
    close(loss, golden["cls_ce"], 1e-9)
    close(torch.autograd.grad(loss.sum(), image)[0], golden["cls_grad"], 1e-9)
    assert not problem.fooled(outputs).any()


LINF, L2 = {"image": Budget(eps=EPS)}, {"image": Budget("l2", 0.5)}
PLAIN = {"steps": STEPS, "step_size": ALPHA, "keep": "last"}
CASES = {
    "fgsm": (fgsm, LINF, {}),
    "fgm_l2": (fgsm, L2, {}),
    "bim": (ifgsm, LINF, PLAIN),
    "pgd_linf": (pgd, LINF, {**PLAIN, "random_start": False}),
    "pgd_l2": (pgd, L2, {**PLAIN, "random_start": False, "step_size": 0.1}),
    "mifgsm": (mifgsm, LINF, PLAIN),
}


@pytest.mark.parametrize("name", CASES)
def test_classifier_attacks(name, classifier, images, golden):
    attack, threat, settings = CASES[name]
    result = attack(ClassProblem(classifier, golden["cls_y"]), images, threat, **settings)
    assert result.inputs["image"].dtype == torch.float64
    close(result.inputs["image"], golden[name])


def test_float32_agrees_almost_everywhere(shared, images, golden):
    classifier = filled(Classifier(), shared).float()
    problem = ClassProblem(classifier, golden["cls_y"])
    result = pgd(problem, {"image": images["image"].float()}, LINF, random_start=False, **PLAIN)
    assert ((result.inputs["image"] - golden["pgd_linf"]).abs() <= 1e-6).double().mean() >= 0.99


def test_targeted_class(classifier, images, golden):
    problem = ClassProblem(classifier, golden["cls_target"], targeted=True)
    result = pgd(problem, images, LINF, random_start=False, **PLAIN)
    close(result.inputs["image"], golden["pgd_linf_targeted"])


def test_difference_of_logits_ratio(golden):
    logits, truth, target = golden["dlr_logits"], golden["dlr_y"], golden["dlr_target"]
    close(dlr(Scores(logits, truth)), golden["dlr"], 1e-9)
    close(dlr(Scores(logits, target, targeted=True, truth=truth)), golden["dlr_targeted"], 1e-9)


def test_l1_projection(golden):
    clean, radius = golden["l1box_x"], golden["l1box_eps"]
    found = l1_box(clean + golden["l1box_delta"], clean, radius) - clean
    close(found, golden["l1box_projected_delta"])
    assert (found.abs().sum(1) <= radius + 1e-12).all()


def scene(golden):
    inputs = {"rgb": golden["sal_rgb"].double(), "depth": golden["sal_depth"].double()}
    return inputs, golden["sal_gt"][:, None].double()


def test_saliency_itself(saliency, golden):
    inputs, masks = scene(golden)
    problem = MapProblem(saliency, masks)
    leaves = {name: value.clone().requires_grad_() for name, value in inputs.items()}
    outputs = problem.forward(leaves)
    close(outputs, golden["sal_logits"], 1e-9)
    close(problem.loss(outputs), golden["sal_bce"], 1e-9)
    gradients = torch.autograd.grad(problem.loss(outputs).sum(), list(leaves.values()))
    close(torch.cat(gradients, dim=1), golden["sal_grad"], 1e-9)


def radii(golden, *names):
    return {name: Budget(eps=float(golden[f"sal_eps_{name}"])) for name in names}


BOTH = ("rgb", "depth")
STEPPED = {"steps": STEPS, "keep": "last"}
HIDE = {"goal": "hide"}
MAPS = {
    "sal_fgsm_joint": (BOTH, fgsm, {}, {}),
    "sal_fgsm_rgb": (("rgb",), fgsm, {}, {}),
    "sal_fgsm_depth": (("depth",), fgsm, {}, {}),
    "sal_pgd_joint": (BOTH, pgd, STEPPED, {}),
    "sal_pgd_rgb": (("rgb",), pgd, STEPPED, {}),
    "sal_pgd_depth": (("depth",), pgd, STEPPED, {}),
    "sal_mifgsm_joint": (BOTH, mifgsm, {**STEPPED, "joint": True}, {}),
    "sal_pgd_hide_joint": (BOTH, pgd, STEPPED, HIDE),
    "sal_pgd_paint_joint": (BOTH, pgd, STEPPED, {"goal": "paint"}),
    "sal_segpgd_joint": (BOTH, pgd, STEPPED, {"objective": "segpgd"}),
    "sal_segpgd_hide_joint": (BOTH, pgd, STEPPED, {"objective": "segpgd", **HIDE}),
    "sal_cospgd_joint": (BOTH, pgd, STEPPED, {"objective": "cospgd"}),
    "sal_cospgd_hide_joint": (BOTH, pgd, STEPPED, {"objective": "cospgd", **HIDE}),
}


@pytest.mark.parametrize("name", MAPS)
def test_saliency_attacks(name, saliency, golden):
    attacked, attack, settings, aim = MAPS[name]
    inputs, masks = scene(golden)
    threat = radii(golden, *attacked)
    if attack is pgd:
        settings = {**settings, "random_start": False}
    if attack is mifgsm:
        settings = {**settings, "step_size": {key: budget.eps / 4 for key, budget in threat.items()}}
    if aim.get("goal") == "paint":
        aim = {**aim, "target": golden["sal_paint_target"][:, None].double()}
    result = attack(MapProblem(saliency, masks, **aim), inputs, threat, **settings)
    close(torch.cat([result.inputs["rgb"], result.inputs["depth"]], dim=1), golden[name])


def test_dense_weights_at_the_clean_input(golden):
    logits, masks = golden["sal_logits"], scene(golden)[1]
    pixels = Pixels(logits, Reference.of(masks), progress=3 / STEPS)
    close(segpgd(pixels).sum(), golden["sal_segpgd_loss_it3_of_T"], 1e-9)


def test_cosine_weights_at_the_clean_input(saliency, golden):
    from rgbdsod.attacks.pixels import cospgd

    logits, masks = golden["sal_logits"], scene(golden)[1]
    expected = golden["sal_cospgd_weighted_pixels"].flatten(1).mean(1)
    close(cospgd(Pixels(logits, Reference.of(masks))), expected, 1e-9)
