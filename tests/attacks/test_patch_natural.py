"""Natural patches stay in their family and still gain; D3Net's depurator moves; heavy costs stop a fit."""

import re

import cv2
import numpy as np
import pytest
import torch
from attacks_problems import gains, rand
from patch_scenes import victim
from torch import nn

from rgbdsod.attacks import Budget, MapProblem, PatchGenerator, adversarial_patch, fit_patch, natural_curve
from rgbdsod.attacks.patch.natural.bank import open_bank
from rgbdsod.attacks.patch.natural.family import on_grid
from rgbdsod.attacks.patch.natural.lowpass import Lowpass
from rgbdsod.attacks.patch.natural.mix import Mix
from rgbdsod.errors import DataError, UsageError
from rgbdsod.metrics import distribution_distance
from rgbdsod.models import load_model

RGB = {"rgb": Budget(eps=1.0)}
BOTH = {**RGB, "depth": Budget(eps=1.0)}


class Drawer(nn.Module):
    """A generator of four numbers: a grey ramp turned and tinted."""

    def __init__(self) -> None:
        super().__init__()
        self.paint = nn.Linear(4, 3 * 5 * 5)
        nn.init.normal_(self.paint.weight, generator=torch.Generator().manual_seed(0))

    def forward(self, z):
        return self.paint(z).view(-1, 3, 5, 5).sigmoid()


def run(natural="none", threat=RGB, **settings):
    problem, inputs = victim(2, 24)
    chosen = {"steps": 12, "patch_size": "8%", "natural": natural, **settings}
    return adversarial_patch(problem, inputs, threat, **chosen), inputs


@pytest.fixture
def folder(tmp_path):
    """Three photographs."""
    for at in range(3):
        values = np.random.default_rng(at).integers(0, 256, (30, 40, 3), dtype=np.uint8)
        cv2.imwrite(str(tmp_path / f"{at}.png"), cv2.GaussianBlur(values, (0, 0), 2))
    return tmp_path


@pytest.mark.parametrize("natural", ["crop", "mix", "lowpass", PatchGenerator(Drawer(), 4)], ids=str)
@pytest.mark.parametrize("threat", [RGB, BOTH], ids=["rgb", "both"])
def test_families_gain_and_are_saved_as_8_bit(natural, threat, folder):
    result, inputs = run(natural, threat, crops=str(folder))
    assert (result.loss >= result.start_loss).all()
    assert (result.loss > result.start_loss).any()
    for patch in result.patches:
        assert torch.allclose(patch.content * 255, (patch.content * 255).round(), atol=1e-3)
        assert patch.facts["natural"] == (natural if isinstance(natural, str) else "generator")
    assert torch.equal(result.inputs["rgb"][:, :, 0, 0], inputs["rgb"][:, :, 0, 0])


def test_the_same_seed_gives_the_same_patch_alone(folder):
    problem, inputs = victim(2, 24)
    for natural in ("crop", "mix"):
        settings = {"steps": 1, "step_size": 1e-6, "patch_size": "8%", "natural": natural, "crops": str(folder)}
        both = adversarial_patch(problem, inputs, RGB, sample_ids=["a", "b"], **settings)
        own = {name: value[1:] for name, value in inputs.items()}
        alone = adversarial_patch(problem.select(torch.tensor([1])), own, RGB, sample_ids=["b"], **settings)
        assert torch.equal(both.patches[1].content, alone.patches[0].content)


def test_a_crop_is_not_left_by_more_than_the_radius(folder):
    begin = open_bank(str(folder), (7, 7), []).drawn(["0", "1"])
    found = run("crop", steps=20, start="image", crops=str(folder), natural_radius=8 / 255)[0]
    for first, last in zip(begin, found.patches, strict=True):
        change = (first - last.content).abs().max()
        assert 4 / 255 < change <= 8 / 255 + 1e-6
    assert not torch.equal(begin[0], begin[1])


def test_an_image_is_a_start_without_a_ball(folder):
    bank = open_bank(str(folder), (7, 7), [])
    begin = run(steps=1, step_size=1e-6, start="image", crops=str(folder), restarts=2)[0].patches[0].content
    assert (bank.crops == begin).flatten(1).all(1).any()
    far = run(steps=60, step_size=0.05, start="image", crops=str(folder))[0].patches[0].content
    assert (far - begin).abs().max() > 0.3


def test_low_frequencies_alone():
    family = Lowpass(0.25)
    numbers = family.centre(["a"], torch.zeros(1), (16, 24)).shape[-1]
    colours = family.colours(rand(0, 2, 1, numbers, dtype=torch.float64), (16, 24))
    assert 0 <= colours.min() <= colours.max() <= 1
    down, across = (
        torch.cos(torch.pi * torch.arange(side).double()[:, None] * (torch.arange(side).double() + 0.5) / side)
        for side in (16, 24)
    )
    spectrum = torch.einsum("uh,bchw,vw->bcuv", down, colours, across)
    high = torch.hypot(torch.arange(16)[:, None] / 16, torch.arange(24)[None] / 24) > 0.25
    assert spectrum[..., high].abs().max() < 1e-9
    assert spectrum[..., ~high].abs().max() > 0.1


def test_a_mixture_of_one_crop_is_that_crop(folder):
    bank = open_bank(str(folder), (8, 8), [], count=4)
    values = torch.full((1, 1, 4 + 9), 0.5)
    values[..., :4] = 0
    values[..., 2] = 1
    assert torch.allclose(Mix(bank, radius=50.0).colours(values, (8, 8))[0], bank.crops[2], atol=1e-5)


def test_latent_vectors_are_shortened():
    seen = []

    class Spy(Drawer):
        def forward(self, z):
            seen.append(z)
            return super().forward(z)

    generator = PatchGenerator(Spy(), 4, radius=0.5)
    shown = generator.colours(torch.tensor([[[0.0, 1.0, 0.0, 1.0]], [[0.5, 0.5, 0.5, 0.6]]]), (8, 6))
    assert shown.shape == (2, 3, 8, 6)
    assert seen[-1].norm(dim=1).tolist() == pytest.approx([0.5 * 2, 0.2 * 0.05 * 255 / 4])


def test_a_generator_is_held_still():
    drawer = Drawer().train()
    run(PatchGenerator(drawer, 4), steps=2)
    assert drawer.training
    assert drawer.paint.weight.requires_grad
    assert drawer.paint.weight.grad is None


def test_rounding_lets_the_gradient_pass():
    values = rand(0, 4).requires_grad_()
    on_grid(values).sum().backward()
    assert torch.equal(values.grad, torch.ones(4))


def test_attacked_photographs_are_left_out(folder):
    shown = [torch.from_numpy(cv2.imread(str(folder / f"{at}.png"))[..., ::-1].copy()) for at in (0, 1, 2)]
    batch = torch.stack(shown).permute(0, 3, 1, 2).float() / 255
    crops = open_bank(str(folder), (30, 40), [batch[:1], batch[1:2]], count=8).crops
    assert (crops == batch[2]).all()
    with pytest.raises(UsageError, match="all its photographs are attacked"):
        open_bank(str(folder), (8, 8), [batch])


def test_crops_come_in_any_size_from_any_photograph(folder):
    for canvas in ((5, 7), (60, 20), (30, 40)):
        crops = open_bank(str(folder), canvas, [], count=9).crops
        assert crops.shape == (9, 3, *canvas)
        assert len(crops.flatten(1).unique(dim=0)) > 2
    assert open_bank("demo", (8, 8), []).crops.shape == (64, 3, 8, 8)
    with pytest.raises(DataError, match="no such folder"):
        open_bank(str(folder / "no"), (8, 8), [])
    (folder / "more").mkdir()
    with pytest.raises(DataError, match="no photographs there"):
        open_bank(str(folder / "more"), (8, 8), [])
    (folder / "x.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match="as a photograph"):
        open_bank(str(folder), (8, 8), [])


@pytest.mark.parametrize("natural", ["crop", "mix", "lowpass"])
def test_one_natural_patch_for_all(natural, folder, tmp_path):
    problem, inputs = victim(2, 24)
    settings = {"patch_size": "8%", "canvas": 8, "transforms": "digital", "natural": natural, "crops": str(folder)}
    file = tmp_path / "state" / "fit.safetensors"
    patch = fit_patch([(problem, inputs)], RGB, steps=45, keep=file, **settings)
    assert patch.facts["value"] > patch.facts["looks"][0]
    assert patch.content.shape == (3, 8, 8)
    again = fit_patch([(problem, inputs)], RGB, steps=45, keep=file, **settings)
    assert torch.equal(again.content, patch.content)


def test_a_curve_over_the_radius(folder):
    problem, inputs = victim(2, 24)

    def apart(shown, crops):
        return distribution_distance(shown, crops).frechet

    settings = {"steps": 10, "patch_size": "15%", "crops": str(folder), "appearances": 32}
    curve = natural_curve(problem, inputs, RGB, (1 / 255, 0.5), apart, **settings)
    assert [point.radius for point in curve] == [1 / 255, 0.5]
    assert curve[1].loss > curve[0].loss
    assert curve[1].distance > curve[0].distance > 0
    assert curve[0].appearances == 32
    with pytest.raises(UsageError, match="a curve needs radii"):
        natural_curve(problem, inputs, RGB, (), apart)


@pytest.mark.parametrize(
    ("natural", "threat", "settings", "text"),
    [
        ("gan", RGB, {}, "--natural gan: expected one of none, crop, mix, lowpass"),
        ("none", RGB, {"natural_radius": 0.1}, "--natural-radius is of a natural patch"),
        ("crop", RGB, {"natural_radius": 0.0}, "--natural-radius 0: pass a number above 0"),
        ("crop", RGB, {"natural_radius": 8.0}, "--natural-radius 8: pass at most 1, the whole range of colours"),
        ("lowpass", RGB, {"natural_radius": 2.0}, "--natural-radius 2: pass at most 1"),
        ("lowpass", {"depth": Budget(eps=1.0)}, {}, "--set natural=lowpass is about colours"),
        ("mix", RGB, {"start": "image"}, "--start image begins at a crop of a photograph"),
        ("crop", RGB, {"start": "image", "restarts": 2}, "--restarts 2 all start from image"),
        ("none", RGB, {"gate": "shut"}, "--gate shut: expected one of none, close, open"),
        ("none", RGB, {"gate": "close"}, "--set gate=close moves the depurator of D3Net, and toy has none"),
    ],
)
def test_settings_that_cannot_be_meant(natural, threat, settings, text):
    with pytest.raises(UsageError, match=f"^{re.escape(text)}"):
        run(natural, threat, **settings)


def test_generators_that_cannot_be_used():
    with pytest.raises(UsageError, match=r"returned \(1, 2\) for one vector"):
        PatchGenerator(nn.Linear(4, 2), 4)
    wide = nn.Sequential(nn.Linear(4, 12), nn.Unflatten(1, (3, 2, 2)))
    nn.init.constant_(wide[0].bias, 3.0)
    with pytest.raises(UsageError, match="end it in"):
        PatchGenerator(wide, 4)


def test_the_depurator_moves_both_ways():
    """A patch on RGB alone, so that depth is encoded once and the gate is heard in the second stage."""
    model = load_model("d3net", device="cpu").at((64, 64))
    inputs = {"rgb": rand(0, 1, 3, 64, 64), "depth": rand(1, 1, 1, 64, 64)}
    problem = MapProblem(model, (rand(2, 1, 1, 64, 64) > 0.5).float())

    def distance(gate):
        settings = {"steps": 3, "step_size": 0.2, "patch_size": "40%", "patch_goal": "self", "gate": gate}
        found = adversarial_patch(problem, inputs, RGB, **settings).inputs
        with torch.no_grad():
            return model.outputs(found)["gate"].item()

    assert distance("close") > distance("open")


def test_pictures_that_count_nothing_change_nothing():
    weights = {"rgb": torch.ones(2, 3, 16, 16)}
    weights["rgb"][1] = -5

    class Weighed:
        """The second picture has no object."""

        def __init__(self, problem, count):
            self.problem, self.weights = problem, torch.tensor(count)

        def __getattr__(self, name):
            return getattr(self.problem, name)

        def given(self, fixed):
            return self

    inputs = {"rgb": torch.full((2, 3, 16, 16), 0.5)}
    settings = {"steps": 60, "patch_size": "8%", "canvas": 6, "transforms": "none"}
    nothing = (Weighed(gains(weights), [0.0, 0.0]), inputs)
    patch = fit_patch([(Weighed(gains(weights), [1.0, 0.0]), inputs), nothing], RGB, **settings)
    assert patch.content.min() > 0.9
    alone = fit_patch([(Weighed(gains(weights), [1.0, 0.0]), inputs)], RGB, **settings)
    assert alone.facts["looks"][0] == patch.facts["looks"][0]
    with pytest.raises(UsageError, match="none of the pictures has a place for the patch and counts"):
        fit_patch([nothing], RGB, **settings)


def test_a_cost_that_outweighs_the_attack_stops_the_fit():
    problem, inputs = victim(2, 24)
    settings = {"patch_size": "8%", "canvas": 8, "transforms": "digital", "steps": 90}
    with pytest.warns(UserWarning, match="printable has outweighed the attack 10 times for 50 steps"):
        patch = fit_patch([(problem, inputs)], RGB, printable=1e4, **settings)
    assert patch.facts["steps"] < 90
    assert "pass a smaller --set printable=" in patch.facts["stopped"]
    assert fit_patch([(problem, inputs)], RGB, smooth=0.001, **settings).facts["stopped"] is None
