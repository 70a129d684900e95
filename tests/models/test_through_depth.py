"""A network that reads HHA, fed with depth: the same maps, in two stages, for batches that shrink."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from run_models import scenes
from torch import nn

import rgbdsod as rs
from rgbdsod.attacks import Budget, MapProblem, pgd
from rgbdsod.attacks.prepared import prepare
from rgbdsod.attacks.table import ATTACKS
from rgbdsod.datasets import DepthScale, HHAEncoder, collate, pseudo_hha, sample_hha
from rgbdsod.errors import UsageError
from rgbdsod.models import ThroughDepth

SCALE = DepthScale(1, 5, "linear")
SIDE = 32
CAMERA = np.array([[26.0, 0, 16.5], [0, 26.0, 16.5], [0, 0, 1]])


class ReadsHha(nn.Module):
    """What is near and stands upright is salient; counts what it encodes."""

    inputs = ("rgb", "hha")

    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(20.0))
        self.encoded = []

    def encode(self, name, x):
        self.encoded.append(name)
        return x.mean(1, keepdim=True) if name == "rgb" else self.gain * (x[:, :1] - 0.5) + 4 * (x[:, 2:] - 0.5)

    def fuse(self, features):
        return {"final": features["rgb"] + features["hha"]}

    def forward(self, rgb, hha):
        return self.fuse({"rgb": self.encode("rgb", rgb), "hha": self.encode("hha", hha)})


@pytest.fixture(scope="module")
def batch():
    return collate(list(scenes(3, SIDE)))


def reader(**settings):
    return rs.wrap(ReadsHha(), inputs=("rgb", "hha"), name="reads-hha", **settings).eval()


def through(encoder=None, **settings):
    return ThroughDepth(reader(**settings), encoder or HHAEncoder("assumed", scale=SCALE, every=1))


def test_the_maps_are_those_of_the_network_on_the_encoding(batch):
    for size in (None, (24, 40)):
        model, encoder = through(size=size), HHAEncoder("assumed", scale=SCALE, every=1)
        direct = model.reader(rgb=batch["rgb"], hha=encoder(batch["depth"]))
        assert torch.equal(model(rgb=batch["rgb"], depth=batch["depth"]), direct)
        features = {name: model.encode(name, batch[name]) for name in model.inputs}
        assert torch.allclose(model.fuse(features, (SIDE, SIDE)), direct, atol=1e-5)
        maps = model.predict(rgb=batch["rgb"], depth=batch["depth"])
        assert torch.equal(maps, model.reader.predict(rgb=batch["rgb"], hha=encoder(batch["depth"])))


def test_another_working_size_is_that_of_the_network_not_of_the_encoding(batch):
    model = through().at((16, 16))
    direct = model.reader.at((16, 16))(rgb=batch["rgb"], hha=model.encoder(batch["depth"]))
    assert torch.equal(model(rgb=batch["rgb"], depth=batch["depth"]), direct)


def test_exact_is_what_the_files_would_hold(batch):
    samples = list(scenes(3, SIDE))
    pseudo = through(HHAEncoder.pseudo(SCALE)).exact(batch["valid"]).hha(batch["depth"])
    metric = through(HHAEncoder(CAMERA, scale=SCALE)).exact(batch["valid"]).hha(batch["depth"])
    for i, sample in enumerate(samples):
        known = replace(sample, camera=CAMERA, scale=SCALE)
        direct = pseudo_hha(sample.depth, valid=sample.valid, scale=SCALE).image
        assert np.array_equal((pseudo[i] * 255).round().permute(1, 2, 0).numpy(), direct)
        assert np.array_equal((metric[i] * 255).round().permute(1, 2, 0).numpy(), sample_hha(known).image)


def test_what_is_held_agrees_with_the_exact_encoding_on_clean_depth(batch):
    model = through(HHAEncoder(CAMERA, scale=SCALE, every=1))
    held, exact = model.held(batch["depth"], batch["valid"]), model.exact(batch["valid"])
    apart = (255 * (held.hha(batch["depth"]) - exact.hha(batch["depth"]))).abs()
    assert float((apart > 0.5).float().mean()) < 0.02 and float(apart[:, 0].max()) <= 1.01


def test_rgb_is_encoded_once_while_depth_is_attacked(batch):
    model = through()
    problem = MapProblem(model.held(batch["depth"], batch["valid"]), batch["mask"])
    inputs = {name: batch[name] for name in ("rgb", "depth")}
    found = pgd(problem, inputs, {"depth": Budget(eps=4 / 255)}, steps=5, seed=0)
    assert (found.loss > found.start_loss).all()
    calls = model.network.encoded
    assert calls.count("rgb") < calls.count("hha")


def test_samples_may_leave_the_batch(batch):
    held = through().held(batch["depth"], batch["valid"])
    problem = MapProblem(held, batch["mask"])
    index = torch.tensor([2, 0, 2])
    whole = problem.forward({"rgb": batch["rgb"], "depth": batch["depth"]})
    part = problem.given({"rgb": batch["rgb"]}).select(index).select(torch.tensor([1, 2]))
    assert torch.equal(part.forward({"depth": batch["depth"][[0, 2]]}), whole[[0, 2]])
    assert torch.equal(problem.forward({"rgb": batch["rgb"], "depth": batch["depth"]}), whole)  # it keeps its own batch
    with pytest.raises(UsageError, match="held for 3 images but depth has 2"):
        held.encode("depth", batch["depth"][:2])


@pytest.mark.parametrize(
    ("name", "own"), [("sifgsm", {"steps": 2}), ("deepfool", {"steps": 6}), ("square", {"queries": 30})]
)
def test_attacks_that_drop_or_copy_images_find_the_same_alone(batch, name, own):
    """One of the three is fooled from the start, one on the way."""
    model = through()

    def run(rows):
        inputs = {key: batch[key][rows] for key in ("rgb", "depth")}
        held = model.held(inputs["depth"], batch["valid"][rows])
        problem = MapProblem(held, batch["mask"][rows], success="iou<0.1")
        return (
            ATTACKS[name]
            .load()(problem, inputs, {"depth": Budget(eps=0.3)}, **own, seed=0, sample_ids=[str(row) for row in rows])
            .inputs["depth"]
        )

    together = run([0, 1, 2])
    for row in range(3):
        assert torch.allclose(run([row])[0], together[row], atol=1e-4)


def test_a_prepared_copy_is_held_like_the_model(batch):
    model = through()
    inputs = {name: batch[name] for name in ("rgb", "depth")}
    ready = prepare(model, lambda network: network(**inputs))
    assert torch.equal(ready.held(batch["depth"])(**inputs), model.held(batch["depth"])(**inputs))


def test_the_record_says_what_was_assumed():
    assert through(HHAEncoder.pseudo(SCALE)).record() == {
        "camera": "assumed", "scale": "linear, 1 is 1 m and 0 is 5 m", "gravity": [0.0, 1.0, 0.0],
    }  # fmt: skip
    known = through(HHAEncoder(CAMERA, scale=SCALE)).exact().record()
    assert known["camera"] == CAMERA.tolist() and known["gravity"] == "estimated"


def test_what_does_not_fit_is_refused(batch):
    other = rs.wrap(nn.Conv2d(4, 1, 1), name="plain")
    with pytest.raises(UsageError, match=r"plain has inputs rgb, depth.*\"hha\""):
        ThroughDepth(other, HHAEncoder.pseudo())
    with pytest.raises(UsageError, match="makes 4"):
        through(HHAEncoder.pseudo(missing="mask"))
    with pytest.raises(UsageError, match="give the encoder a scale"):
        through(HHAEncoder(CAMERA))
    with pytest.raises(UsageError, match="exact one of a batch"):
        through().exact().held(batch["depth"])
    with pytest.raises(UsageError, match="valid is for 1 images but depth has 3"):
        through().exact(batch["valid"][:1]).hha(batch["depth"])
