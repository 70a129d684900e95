"""Trained generators: what they gain, what they refuse, their files; and the search among latents on a known border."""

import json

import pytest
import torch
from attacks_networks import Saliency, seeded
from attacks_problems import rand, scene, toy
from safetensors import safe_open
from safetensors.torch import save_file

from rgbdsod.attacks import Budget, MapProblem, ScoreProblem, noise
from rgbdsod.attacks.generative.latent import LatentGenerator, LatentScope
from rgbdsod.attacks.generative.natural import natural
from rgbdsod.attacks.generative.perturbation import PerturbationGenerator, Scope
from rgbdsod.attacks.generative.trained import advgan, gap
from rgbdsod.attacks.generative.training import train_generator
from rgbdsod.attacks.generative.wgan import train_latent
from rgbdsod.attacks.measure import audit
from rgbdsod.errors import UsageError, WeightsError

EPS = 16 / 255
BOTH = {"rgb": Budget(eps=EPS), "depth": Budget(eps=EPS)}
CHANNELS = {"rgb": 3, "depth": 1}


def stream(count, network=None):
    """Batches for the small saliency network, each of new images."""
    network = network or seeded(Saliency())
    for at in range(count):
        inputs, masks = scene(seed=100 + 2 * at)
        yield MapProblem(network, masks), inputs


def tiled():
    """A linear score whose weights repeat every four pixels, and each input's weights."""
    w = {name: (rand(at, 1, count, 4, 4) - 0.5).repeat(1, 1, 4, 4) for at, (name, count) in enumerate(CHANNELS.items())}
    return ScoreProblem(lambda x: sum(((x[name] - 0.5) * w[name]).flatten(1).sum(1) for name in w)), w


@pytest.fixture(scope="module")
def trained():
    batches = [(tiled()[0], scene(seed=100 + 2 * at)[0]) for at in range(40)]
    return {kind: train_generator(batches, BOTH, kind=kind, steps=40) for kind in ("gap", "advgan")}


@pytest.mark.parametrize("names", [("rgb",), ("depth",), ("rgb", "depth")])
@pytest.mark.parametrize("share", [0.5, 1.0])
@pytest.mark.parametrize("kind", ["gap", "advgan"])
def test_most_of_the_optimum_on_unseen_images(trained, kind, names, share):
    """The best perturbation is the weights' signs; at the box some of it is lost."""
    problem, w = tiled()
    inputs = {name: 0.2 + 0.6 * value for name, value in scene()[0].items()}
    threat = {name: Budget(eps=share * EPS) for name in names}
    drawn = trained[kind](problem, inputs, threat)
    gain = drawn.loss - problem.forward(inputs)
    best = sum(share * EPS * w[name].abs().sum() for name in names)
    assert (gain > (0.9 if kind == "gap" else 0.6) * best).all()
    assert (gain > 3 * (noise(problem, inputs, threat, kind="sign", draws=5).loss - problem.forward(inputs))).all()
    audit(drawn.inputs, inputs, threat)
    assert (drawn.forward == 1).all() and (drawn.backward == 0).all()
    assert torch.equal(problem.forward(drawn.inputs), drawn.loss)
    assert all(drawn.inputs[name] is inputs[name] for name in inputs if name not in names)


def test_training_leaves_the_target_as_it_was():
    network = seeded(Saliency()).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    train_generator(stream(2, network), BOTH, steps=2)
    assert network.training and all(weight.requires_grad for weight in network.parameters())
    assert all(weight.grad is None for weight in network.parameters())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_same_seed_same_generator_and_the_global_numbers_are_left_alone():
    batches = list(stream(3))
    state = torch.random.get_rng_state()
    one, two, other = (train_generator(batches, BOTH, kind="advgan", steps=3, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(torch.random.get_rng_state(), state)
    weights = [generator.network.leave.weight for generator in (one, two, other)]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])


def test_a_universal_generator_draws_the_same_for_all_images_and_sizes():
    generator = train_generator(stream(2), BOTH, steps=2, universal=True)
    small, large = (generator.draw(scene(size=size)[0]) for size in (16, 24))
    assert torch.equal(small["depth"][0], small["depth"][3])
    assert large["rgb"].shape == (4, 3, 24, 24)


def test_masks_and_grids_hold(trained):
    problem, inputs = toy()
    mask = torch.zeros(1, 1, 16, 16)
    mask[..., 4:9] = 1
    grid = {name: (255 * value).round() / 255 for name, value in inputs.items()}
    threat = {"depth": Budget(eps=EPS, mask=mask, levels=255)}
    result = trained["gap"](problem, grid, threat)
    audit(result.inputs, grid, threat)
    assert (result.inputs["depth"] != grid["depth"]).any()


def test_a_file_is_the_generator(trained, tmp_path):
    problem, inputs = toy()
    file = tmp_path / "new" / "g.safetensors"
    trained["gap"].save(file)
    loaded = PerturbationGenerator.load(file)
    assert loaded.scope == trained["gap"].scope
    assert torch.equal(loaded(problem, inputs, BOTH).loss, trained["gap"](problem, inputs, BOTH).loss)
    assert torch.equal(
        gap(problem, inputs, BOTH, generator=file).loss, advgan(problem, inputs, BOTH, generator=file).loss
    )
    assert list(file.parent.iterdir()) == [file]
    with safe_open(file, "pt") as opened:
        assert json.loads(opened.metadata()["rgbdsod.generator"])["kind"] == "gap"


def damaged(path):
    path.write_bytes(b"no such thing")


def foreign(path):
    save_file({"x": torch.zeros(1)}, path)


def latent(path):
    LatentGenerator(LatentScope(CHANNELS)).save(path)


def other_version(path):
    header = {"rgbdsod.generator": json.dumps({"family": "perturbation", "kind": "gap", "shape": 1})}
    save_file({"x": torch.zeros(1)}, path, metadata=header)


def other_weights(path):
    generator = PerturbationGenerator(Scope("gap", CHANNELS, {"rgb": EPS}))
    generator.scope = Scope("gap", CHANNELS, {"rgb": EPS, "depth": EPS})
    generator.save(path)


@pytest.mark.parametrize(
    ("write", "text"),
    [
        (lambda path: None, "no generator"),
        (damaged, "damaged or no safetensors file"),
        (foreign, "holds weights, but of no generator"),
        (latent, 'is a "latent" generator, expected a perturbation one'),
        (other_version, r"was made by another version of rgbdsod .*; train it again"),
        (other_weights, "do not fit the generator that its header describes"),
    ],
)
def test_wrong_files(write, text, tmp_path):
    problem, inputs = toy()
    write(tmp_path / "g.safetensors")
    with pytest.raises(WeightsError, match=text):
        gap(problem, inputs, BOTH, generator=tmp_path / "g.safetensors")


@pytest.mark.parametrize(
    ("threat", "text"),
    [
        (
            {"depth": Budget(eps=17 / 255)},
            r"for rgb up to 16/255, depth up to 16/255, not for depth 17/255; train .*: rgbdsod generator train",
        ),
        ({"depth": Budget("l2", 1.0)}, 'attack "gap" takes --norm linf, not l2'),
    ],
)
def test_a_threat_it_was_not_trained_for(trained, threat, text):
    problem, inputs = toy()
    with pytest.raises(UsageError, match=text):
        trained["gap"](problem, inputs, threat)


def test_inputs_it_was_not_trained_for(trained):
    problem, inputs = toy()
    depth = train_generator(stream(1), {"depth": Budget(eps=EPS)}, steps=1)
    with pytest.raises(UsageError, match=r"depth up to 16/255, not for rgb 16/255; .*--modality rgb"):
        depth(problem, inputs, {"rgb": Budget(eps=EPS)})
    image = ScoreProblem(lambda x: x["image"].mean((1, 2, 3)), inputs=("image",))
    with pytest.raises(UsageError, match=r"reads rgb \(B,3,H,W\), depth \(B,1,H,W\) of one size, got image"):
        trained["gap"](image, {"image": torch.rand(1, 3, 8, 8)}, {"image": Budget(eps=EPS)})


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"kind": "gan"}, 'no kind "gan" of perturbation generator; kinds are gap, advgan'),
        ({"steps": 0}, "--steps 0 is too few"),
        ({"steps": 4}, "there were 2 batches for 4 steps"),
        ({"threat": {}}, "the threat names no input"),
        ({"threat": {"rgb": Budget(eps=0.0)}}, "one radius above 0, a number; rgb has 0.0"),
        ({"threat": {"rgb": Budget("l2", 1.0)}}, "takes --norm linf, not l2"),
    ],
)
def test_training_refuses(settings, text):
    with pytest.raises(UsageError, match=text):
        train_generator(stream(2), **{"threat": BOTH, "steps": 2, **settings})


class Flat(LatentGenerator):
    """Pictures of one grey for each input: half a tenth of the latent from the middle. I is exact."""

    def __init__(self):
        super().__init__(LatentScope(CHANNELS, latent=2, width=2))

    def draw(self, latents):
        grey = (0.5 + 0.1 * latents).view(-1, 2, 1, 1).expand(-1, -1, 64, 64)
        return torch.cat([grey[:, :1]] * 3 + [grey[:, 1:]], 1)

    def invert(self, image):
        return (torch.stack([image[:, 0], image[:, 3]], 1).mean((2, 3)) - 0.5) / 0.1


def brighter(than=0.6):
    """Fooled where the depth is brighter."""
    return ScoreProblem(lambda x: x["depth"].mean((1, 2, 3)) - than)


WHOLE = {"depth": Budget(eps=1.0)}


@pytest.mark.parametrize("detail", [True, False])
def test_the_nearest_latent_beyond_a_known_border(detail):
    """The border lies at latents 1, 0.5 and 2 away, each in its own shell; the last is fooled as it is."""
    depth = torch.tensor([0.5, 0.55, 0.4, 0.7]).view(-1, 1, 1, 1).expand(-1, 1, 12, 10)
    inputs = {"rgb": torch.full((4, 3, 12, 10), 0.5), "depth": depth.clone()}
    result = natural(brighter(), inputs, WHOLE, generator=Flat(), draws=40, halvings=6, detail=detail)
    assert result.fooled.all()
    moved = (result.inputs["depth"] - inputs["depth"]).mean((1, 2, 3)) / 0.1
    assert torch.allclose(moved, torch.tensor([1, 0.5, 2, 0.0]), atol=0.15)
    assert result.inputs["rgb"] is inputs["rgb"]
    assert result.forward[3] == 1
    assert (result.forward[:3] > 40 * 6).all() and (result.backward == 0).all()


def test_where_nothing_fools_the_highest_loss_is_returned():
    inputs = {"rgb": torch.full((1, 3, 12, 10), 0.5), "depth": torch.full((1, 1, 12, 10), 0.5)}
    result = natural(brighter(2.0), inputs, WHOLE, generator=Flat(), draws=5, shells=3)
    assert not result.fooled.any()
    assert result.forward == 1 + 5 * 3
    assert torch.isclose(result.loss, result.trace.max())


def test_a_smaller_budget_is_kept():
    inputs = {"rgb": torch.full((1, 3, 12, 10), 0.5), "depth": torch.full((1, 1, 12, 10), 0.5)}
    threat = {"depth": Budget("l2", 0.5)}
    result = natural(brighter(0.52), inputs, threat, generator=Flat(), draws=5)
    audit(result.inputs, inputs, threat)
    assert result.fooled.all()


def test_latents_learn_to_draw():
    batches = [scene(4, size=4, seed=2 * at)[0] for at in range(12)]
    short, long = (train_latent(batches, steps=steps) for steps in (1, 12))
    image = long.image(scene(8, size=4, seed=999)[0])
    errors = [(model.draw(model.invert(image)) - image).square().mean() for model in (short, long)]
    assert errors[1] < errors[0]


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"draws": 0}, "--draws 0 is too few"),
        ({"shells": 0}, "--shells 0 is too few"),
        ({"width": 0.0}, "does not grow"),
        ({"halvings": -1}, "pass 0 or more"),
    ],
)
def test_the_search_refuses(settings, text):
    problem, inputs = toy()
    with pytest.raises(UsageError, match=text):
        natural(problem, inputs, BOTH, generator=Flat(), **settings)


def test_a_latent_file(tmp_path):
    problem, inputs = toy()
    model = train_latent((scene(seed=at)[0] for at in range(2)), steps=2)
    model.save(tmp_path / "n.safetensors")
    same, own = (
        natural(problem, inputs, BOTH, generator=of, draws=2, shells=2) for of in (tmp_path / "n.safetensors", model)
    )
    assert torch.equal(same.loss, own.loss)
    with pytest.raises(UsageError, match=r"generator natural draws rgb .*got image"):
        model.image({"image": torch.rand(1, 3, 8, 8)})
