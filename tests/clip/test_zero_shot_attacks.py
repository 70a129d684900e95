"""The attacks of a zero-shot evaluation: what they are made of, and what is measured of their gradients."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rgbdsod.attacks import Budget, ClassProblem, pgd
from rgbdsod.attacks.scores import Scores, cw_margin
from rgbdsod.clip import ClipModel, TextBank, ZeroShot, load_clip, pixels
from rgbdsod.datasets import glyph_set
from rgbdsod.errors import UsageError
from rgbdsod.run.clip.attacks import ZERO_SHOT_ATTACKS, find_attack
from rgbdsod.run.clip.settings import ZeroShotSettings, usual_eps
from rgbdsod.run.clip.strike import Scene, Watched, budget_of, strike
from rgbdsod.run.clip.texts import texts_of


@pytest.fixture(scope="module")
def model() -> ClipModel:
    return load_clip(device="cpu")


@pytest.fixture(scope="module")
def scene(model: ClipModel) -> Scene:
    data = glyph_set("shapes", 8)
    classifier = ZeroShot(model, TextBank(model, data.prompts))
    images = pixels(data, range(8), side=model.side)
    return Scene(classifier, images, torch.from_numpy(data.labels), classifier.predict(images), data.ids)


def quiet(done: int, total: int) -> None:
    """Nobody is told."""


def test_the_margin_with_kappa_equals_the_golden_value(shared: Path) -> None:
    golden = np.load(shared / "golden" / "clip_losses.npz")
    logits = torch.from_numpy(golden["out.logits.target_adv"]).double()
    labels = torch.from_numpy(golden["in.labels"])
    assert cw_margin(Scores(logits, labels)).sum().item() == pytest.approx(
        float(golden["out.L_CW.sum_kappa50"]), rel=1e-6
    )


SECOND = {2: ("apgd", "margin"), 3: ("apgd", "margin"), 4: ("apgd-t", None)}
"""What follows APGD on cross-entropy, by the number of classes."""


@pytest.mark.parametrize("classes", SECOND)
def test_members_of_aa_fast(classes: int) -> None:
    first, then = find_attack("aa-fast").members(None, {}, classes)
    assert (first.attack, first.objective, first.settings["steps"]) == ("apgd", "ce", 100)
    assert (then.attack, then.objective) == SECOND[classes]
    assert then.settings.get("rivals", 3) == 3
    assert find_attack("aa-fast").members(5, {}, 200)[1].settings == {"steps": 5, "rivals": 9}


@pytest.mark.parametrize("name", ZERO_SHOT_ATTACKS)
def test_every_attack_stays_in_its_budget(name: str, scene: Scene) -> None:
    settings = ZeroShotSettings(attacks=(name,), steps=3)
    struck = strike(name, scene, 8 / 255, settings, quiet)
    budget = budget_of(find_attack(name), 8 / 255, settings, scene.images)
    change = (struck.images - scene.images).flatten(1)
    size = change.abs().amax(1) if budget.norm == "linf" else change.norm(dim=1)
    assert bool((size <= float(budget.eps) + 1e-5).all())
    assert 0 <= struck.images.min() <= struck.images.max() <= 1
    right = scene.clean == scene.labels
    assert torch.equal(struck.attacked, right)
    assert torch.equal(struck.images[~right], scene.images[~right])
    assert torch.equal(struck.predicted, scene.classifier.predict(struck.images))
    assert bool(struck.zero_gradient[right].isnan().all()) == (name == "noise")


def test_the_corners_of_the_ball_bound_l2(scene: Scene) -> None:
    row = find_attack("cw")
    corners = budget_of(row, 8 / 255, ZeroShotSettings(), scene.images)
    assert (corners.norm, corners.eps) == ("l2", pytest.approx(8 / 255 * math.sqrt(3 * 32 * 32)))
    assert budget_of(row, 8 / 255, ZeroShotSettings(eps_l2=0.5), scene.images).eps == 0.5


def test_steps_of_the_released_evaluation(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps of eps, the last point."""
    seen: list[dict[str, Any]] = []
    members = find_attack("pgd").members

    def noted(steps: int | None, walk: Any, classes: int) -> Any:
        seen.append(dict(walk))
        return members(steps, walk, classes)

    for settings in (ZeroShotSettings(steps=1), ZeroShotSettings(steps=1, as_released=True, verdict="last")):
        row = type(find_attack("pgd"))("pgd", "", noted, walks=True)
        monkeypatch.setitem(ZERO_SHOT_ATTACKS, "pgd", row)  # type: ignore[arg-type]
        strike("pgd", scene, 4 / 255, settings, quiet)
    assert seen == [{"step_size": None, "keep": "best"}, {"step_size": 4 / 255, "keep": "last"}]


class HalfBlind(nn.Module):
    """A linear classifier that sees the left half of an image."""

    name = "half blind"

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.linspace(-1, 1, 3 * 8 * 8 * 4).view(4, 3, 8, 8))
        self.calls = 0

    def forward(self, image: Tensor) -> Tensor:
        self.calls += 1
        return torch.einsum("bchw,kchw->bk", image[..., :4], self.weight[..., :4])


@pytest.mark.parametrize("factor", [1.0, 64.0])
def test_zeros_of_the_first_gradient_are_counted(factor: float) -> None:
    """By the share of pixels; a factor of the loss changes neither the count nor the attack."""
    plain, watched = HalfBlind(), Watched(HalfBlind(), factor)  # type: ignore[arg-type]
    image, labels = torch.rand(2, 3, 8, 8), torch.tensor([0, 3])
    threat = {"image": Budget(eps=4 / 255)}
    found = pgd(ClassProblem(watched, labels), {"image": image}, threat, steps=3)
    expected = pgd(ClassProblem(lambda x: plain(x["image"]), labels), {"image": image}, threat, steps=3)
    assert watched.zero is not None
    assert watched.zero.tolist() == [0.5, 0.5]
    assert torch.equal(found.inputs["image"], expected.inputs["image"])


def test_half_precision_is_confirmed_in_full_precision(scene: Scene) -> None:
    settings = ZeroShotSettings(attacks=("pgd",), steps=4, dtype="bfloat16").checked()
    struck = strike("pgd", scene, 8 / 255, settings, quiet)
    full = strike("pgd", scene, 8 / 255, ZeroShotSettings(steps=4), quiet)
    assert torch.equal(struck.predicted, scene.classifier.predict(struck.images))
    standing, expected = (int((own.predicted == scene.labels).sum()) for own in (struck, full))
    assert standing <= expected + 1


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "attack": ({"attacks": ("pdg",)}, 'no zero-shot attack "pdg"; they are pgd, aa-fast'),
    "twice": ({"attacks": ("pgd", "pgd")}, "--attack names pgd twice"),
    "radius": ({"eps": (8.0,)}, "did you mean 8/255?"),
    "no radius": ({"eps": ()}, "--eps is empty"),
    "steps": ({"steps": 0}, "--steps 0 attacks nothing"),
    "verdict": ({"verdict": "first"}, 'no verdict "first"; use any or last'),
    "released": ({"as_released": True}, "counts the last iterate alone"),
    "space": ({"attack_space": "pixels"}, 'no attack space "pixels"; use native or model'),
    "templates": ({"templates": "many"}, 'no templates "many"; use fixed, as-released, ensemble'),
    "half precision": ({"dtype": "float16"}, "without a loss scale .* pass --loss-scale 1024"),
    "scale": ({"loss_scale": 1024.0}, "it is for --dtype float16"),
    "dtype": ({"dtype": "float8"}, 'no dtype "float8"'),
}


@pytest.mark.parametrize("case", WRONG)
def test_settings_that_cannot_be(case: str) -> None:
    settings, text = WRONG[case]
    with pytest.raises(UsageError, match=text):
        ZeroShotSettings(**settings).checked()


def test_usual_radii() -> None:
    assert (usual_eps("clip.demo"), usual_eps("ViT-B-32-quickgelu")) == (8 / 255, 1 / 255)


def test_an_ensemble_has_several_texts_for_each_class(model: ClipModel) -> None:
    data = glyph_set("backgrounds", 6)
    texts = texts_of(data, model, "ensemble")
    assert {len(own) for own in texts} == {4}
    assert texts[0][3].startswith("a object on a ")
    assert [own[0] for own in texts_of(data, model, "fixed")] == data.prompts
    bank = TextBank(model, texts)
    assert torch.allclose(bank.features.norm(dim=1), torch.ones(6))
    single = F.cosine_similarity(bank.features, TextBank(model, data.prompts).features)
    assert bool((single > 0.5).all())
