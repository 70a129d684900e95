"""Attacks on a network that reads HHA, in each of the three spaces a budget can be in."""

import pytest
import torch
from run_models import scenes
from torch import nn

import rgbdsod as rs
from rgbdsod.attacks import Budget, MapProblem, pgd
from rgbdsod.datasets import DepthScale, HHAEncoder, collate

SCALE = DepthScale(1, 5, "linear")


class ReadsHha(nn.Module):
    """A six-channel filter: what is near and stands upright is salient."""

    inputs = ("rgb", "hha")

    def forward(self, rgb, hha):
        disparity, _, angle = hha.unbind(1)
        return (20 * (disparity - 0.5) + 4 * (angle - 0.5) + rgb.mean(1))[:, None]


class ThroughDepth(nn.Module):
    """The same network, fed with depth."""

    def __init__(self, encoder):
        super().__init__()
        self.encoder, self.network = encoder, ReadsHha()

    def forward(self, rgb, depth):
        return self.network(rgb, self.encoder(depth))


@pytest.fixture(scope="module")
def batch():
    return collate(list(scenes(3)))


def attack(network, inputs, threat, masks, names):
    problem = MapProblem(rs.wrap(network, inputs=names), masks)
    return pgd(problem, inputs, threat, steps=4, step_size=0.01, seed=0)


def test_the_three_spaces(batch):
    masks, rgb, depth = batch["mask"], batch["rgb"], batch["depth"]
    encoder = HHAEncoder.pseudo(SCALE)
    through = ThroughDepth(encoder.held(depth))
    metres = 0.1
    spaces = {
        "hha": (ReadsHha(), {"rgb": rgb, "hha": encoder(depth)}, "hha", 8 / 255),
        "depth_norm": (through, {"rgb": rgb, "depth": depth}, "depth", 8 / 255),
        "depth_metric": (through, {"rgb": rgb, "depth": depth}, "depth", SCALE.share(metres)),
    }
    for name, (network, inputs, attacked, eps) in spaces.items():
        found = attack(network, inputs, {attacked: Budget(eps=eps)}, masks, tuple(inputs))
        moved = found.inputs[attacked]
        assert (found.loss > found.start_loss).all(), name
        assert float((moved - inputs[attacked]).abs().max()) <= eps + 1e-6, name
        assert torch.equal(found.inputs["rgb"], rgb), name
        if name == "depth_metric":
            assert float((SCALE.metres(moved) - SCALE.metres(depth)).abs().max()) <= metres + 1e-5


def test_a_whole_run_through_the_encoding():
    model = rs.wrap(ThroughDepth(HHAEncoder.pseudo(SCALE)), name="reads-hha")
    result = rs.attack(model, scenes(3), modality="depth", steps=3)
    document = result.document()
    assert document["modality"] == "depth" and document["budget"]["depth"]["measured"] <= 8 / 255
    assert document["attacked"]["mae"] > document["clean"]["mae"]


def test_images_do_not_depend_on_their_batch_when_nothing_is_held(batch):
    network = ThroughDepth(HHAEncoder("assumed", scale=SCALE)).eval()
    together = network(batch["rgb"], batch["depth"])
    for one in range(3):
        alone = network(batch["rgb"][one : one + 1], batch["depth"][one : one + 1])
        assert torch.allclose(alone[0], together[one], atol=1e-5)
