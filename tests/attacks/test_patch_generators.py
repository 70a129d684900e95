"""Trained generators of patches: files, the gate, vectors that stay in their ball, and distance from photographs."""

from dataclasses import replace

import pytest
import torch
from attacks_problems import rand
from patch_scenes import victim

from rgbdsod.attacks import Budget, PatchGenerator, adversarial_patch, fit_patch, natural_curve
from rgbdsod.attacks.generative.files import settle
from rgbdsod.attacks.norms import ball
from rgbdsod.attacks.patch.natural.bank import Bank, open_bank
from rgbdsod.attacks.patch.natural.drawer import Drawer, DrawerScope, load_drawer, save_drawer
from rgbdsod.attacks.patch.natural.families import usual_radius
from rgbdsod.attacks.patch.natural.nature import LOOKS, SEEN, Nature, appear, embed
from rgbdsod.attacks.patch.natural.vae import VaeRecipe, train_drawer
from rgbdsod.attacks.patch.transforms.presets import TRANSFORMS
from rgbdsod.errors import UsageError, WeightsError
from rgbdsod.metrics import RandomEmbedder, distribution_distance, frechet_distance

RGB = {"rgb": Budget(eps=1.0)}
NEAR = {"distance": 1.0, "noise": 2.0}


@pytest.fixture(scope="module")
def bank():
    return open_bank("demo", (8, 8), [], count=256)


def save(path, quality, seed=0):
    torch.manual_seed(seed)
    drawer = Drawer(DrawerScope(widths=(8, 8, 8, 8)))
    settle(drawer)
    save_drawer(path, drawer, DrawerScope(widths=(8, 8, 8, 8), quality=quality))
    return drawer


def test_a_drawer_comes_back_from_its_file(tmp_path):
    drawer, vectors = save(tmp_path / "d.safetensors", NEAR), rand(0, 3, 64)
    again = load_drawer(tmp_path / "d.safetensors")
    assert torch.equal(again(vectors), drawer(vectors))
    assert again.scope.quality == NEAR


def test_recentring_draws_from_the_other_gaussian():
    drawer, vectors = Drawer(DrawerScope(numbers=3, widths=(4, 4, 4, 4))), rand(1, 5, 3)
    mean, root = torch.tensor([1.0, -2.0, 0.5]), torch.tensor([[2.0, 0, 0], [1, 0.5, 0], [-1, 1, 3]])
    expected = drawer(mean + vectors @ root.T)
    drawer.recentre(mean, root @ root.T)
    assert torch.allclose(drawer(vectors), expected, atol=1e-5)


def test_training_learns_the_crops():
    """Two flat crops: what is drawn has their colours, which an untrained decoder has not."""
    colours = torch.tensor([[0.9, 0.2, 0.1], [0.1, 0.3, 0.8]])
    crops = colours.repeat(8, 1)[:, :, None, None].expand(-1, -1, 64, 64).contiguous()
    drawer = train_drawer(crops, VaeRecipe(steps=40, batch=8))
    drawn = drawer(torch.randn(64, 64, generator=torch.Generator().manual_seed(0))).mean((2, 3))
    between = ((drawn[:, None] - colours).abs().mean(2)).amin(1)
    untrained = ((Drawer()(torch.zeros(1, 64)).mean((2, 3)) - colours).abs().mean(1)).min()
    assert between.mean() < 0.5 * untrained
    with pytest.raises(UsageError, match=r"crops of shape \(1, 3, 8, 8\)"):
        train_drawer(crops[:1, :, :8, :8])


def test_a_generator_worse_than_noise_is_not_natural(tmp_path):
    file = tmp_path / "far.safetensors"
    save(file, {"distance": 3.0, "noise": 2.0})
    with pytest.raises(WeightsError, match=r"its pictures are 3\.00 from held-out crops"):
        PatchGenerator.load(str(file))
    assert PatchGenerator.load(str(file), checked=False).numbers == 64
    save(file, {})
    with pytest.raises(WeightsError, match="nobody measured how natural"):
        PatchGenerator.load(str(file))
    problem, inputs = victim(2, 24)
    with pytest.raises(WeightsError, match="--natural drawn"):
        adversarial_patch(problem, inputs, RGB, steps=1, natural="file", generator=str(file))
    found = adversarial_patch(problem, inputs, RGB, steps=1, natural="drawn", generator=str(file))
    assert found.patches[0].facts["natural"] == "drawn"


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"natural": "file"}, "--natural file draws from a file of yours"),
        ({"natural": "vae", "generator": "x"}, "--generator x is read by --natural file or drawn"),
        ({"natural": "lowpass", "generator": "x"}, "--generator x is read by"),
        ({"naturalness": -1.0}, "--naturalness -1"),
        ({"natural": "drawn", "generator": "no.safetensors"}, "no generator no.safetensors"),
    ],
)
def test_settings_that_cannot_be_meant(settings, text):
    problem, inputs = victim(2, 24)
    with pytest.raises((UsageError, WeightsError), match=text):
        adversarial_patch(problem, inputs, RGB, steps=1, **settings)


def test_every_step_ends_in_the_ball(tmp_path):
    save(tmp_path / "d.safetensors", NEAR)
    family = replace(PatchGenerator.load(str(tmp_path / "d.safetensors")), radius=0.5)
    centre = torch.full((2, 1, 64), 0.5)
    far = ball(centre, family.budget).project(rand(3, 2, 1, 64))
    length = 2 * (far - centre).norm(dim=(1, 2)) * 0.05 * 255 / 4
    assert torch.allclose(length, torch.full((2,), 0.5 * 8), rtol=1e-4)
    near = centre + 0.01
    assert torch.equal(ball(centre, family.budget).project(near), near)


def test_the_built_in_generator_is_natural_and_small():
    from importlib.resources import files

    generator = PatchGenerator.load("vae", name="vae")
    assert generator.module.scope.natural
    file = files("rgbdsod.attacks.patch.natural") / "assets" / "vae.safetensors"
    assert len(file.read_bytes()) < 1e6
    drawn = generator.module(torch.randn(4, 64, generator=torch.Generator().manual_seed(0)))
    assert drawn.shape == (4, 3, 64, 64)
    assert (drawn.var(0) > 1e-4).any()


def test_the_built_in_generator_gains_more_the_longer_its_vectors(tmp_path):
    problem, inputs = victim(2, 24)

    def apart(shown, crops):
        return distribution_distance(shown, crops).frechet

    settings = {"steps": 12, "patch_size": "15%", "natural": "vae", "appearances": 8}
    near, far = natural_curve(problem, inputs, RGB, (0.05, 2.0), apart, **settings)
    assert far.loss > near.loss
    with pytest.raises(UsageError, match="a generator's vectors are shorter"):
        adversarial_patch(problem, inputs, RGB, natural="vae", natural_radius=9.0)
    fitted = fit_patch([(problem, inputs)], RGB, steps=21, canvas=16, transforms="none", natural="vae")
    assert fitted.facts["value"] > fitted.facts["looks"][0]
    assert usual_radius("vae") == 1.0


def test_embedding_and_distance_are_those_of_the_metrics(bank):
    for seed in (0, 2):
        mine, theirs = embed(bank.crops, seed).double().numpy(), RandomEmbedder(seed)(bank.crops)
        assert abs(mine - theirs).max() < 1e-4 * abs(theirs).max()
    nature = Nature.of(bank, 2.0)
    patch = rand(5, 2, 3, 8, 8)
    looks = [f"look/{look}" for look in range(LOOKS)] * 2
    shown = appear(patch.repeat_interleave(LOOKS, 0), TRANSFORMS[SEEN], bank.seed, looks)
    reference = embed(appear(bank.crops, TRANSFORMS[SEEN], bank.seed))
    expected = [
        2 * frechet_distance(embed(own).double().numpy(), reference.double().numpy()) for own in shown.split(LOOKS)
    ]
    assert nature.cost(patch).tolist() == pytest.approx(expected, rel=1e-3)


def test_the_distance_has_the_gradient_of_differences(bank):
    nature = Nature.of(Bank(bank.crops.double()), 1.0)
    patch = (0.2 + 0.6 * rand(6, 1, 3, 8, 8)).double().requires_grad_()
    (gradient,) = torch.autograd.grad(nature.cost(patch).sum(), patch)
    way, small = torch.randn(patch.shape, generator=torch.Generator().manual_seed(0)).double(), 1e-5
    with torch.no_grad():
        ahead, behind = (nature.cost(patch + turn * small * way) for turn in (1, -1))
    assert float((gradient * way).sum()) == pytest.approx(float(ahead - behind) / (2 * small), rel=0.05)


def test_the_cost_pulls_patches_towards_photographs():
    problem, inputs = victim(2, 32)
    settings = {"steps": 25, "patch_size": "10%", "transforms": "none", "step_size": 0.03}
    crops = open_bank("demo", (10, 10), [], count=256, seed=3)

    def distance(naturalness):
        found = adversarial_patch(problem, inputs, RGB, naturalness=naturalness, **settings)
        return float(Nature.of(crops, 1.0).cost(torch.stack([p.content for p in found.patches])).mean())

    assert distance(1.0) < 0.8 * distance(0.0)
    with pytest.raises(UsageError, match="compares pictures of 8 pixels a side"):
        adversarial_patch(problem, inputs, RGB, naturalness=1.0, patch_size="2%")


def test_a_cost_that_outweighs_the_attack_stops_the_fit():
    problem, inputs = victim(2, 24)
    settings = {"patch_size": "8%", "canvas": 8, "transforms": "digital", "steps": 60}
    with pytest.warns(UserWarning, match="naturalness has outweighed the attack 10 times for 50 steps"):
        fit_patch([(problem, inputs)], RGB, naturalness=1e4, **settings)
