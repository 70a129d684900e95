"""Patches beside photographs: spectra in the file and as seen, distances, and what cannot be compared."""

import json

import numpy as np
import pytest
import torch

from rgbdsod.attacks import Patch
from rgbdsod.attacks.patch.natural.bank import read_photographs
from rgbdsod.errors import DataError, UsageError, WeightsError
from rgbdsod.metrics import Embedder
from rgbdsod.run import patch_statistics
from rgbdsod.run.patch_stats.embedding import open_embedder
from rgbdsod.run.patch_stats.inception import fid_inception, pooled
from rgbdsod.run.patch_stats.measure import BASELINES, Nearby, spectra
from rgbdsod.run.patch_stats.quality import generator_quality
from rgbdsod.run.patch_stats.reference import photographs_of
from rgbdsod.run.patch_stats.sets import open_sets, size_at

SEEDS = (0, 1, 2)


def save(folder, content, **facts):
    Patch(torch.ones(1, *content.shape[1:]), content).about(**facts).save(folder)
    return str(folder)


@pytest.fixture(scope="module")
def photographs():
    return read_photographs("demo", 18)


def crop(photographs, at=0):
    return photographs[at][:, 20:52, 30:62].clone()


@pytest.fixture(scope="module")
def beside(shared):
    """Crops of 32 pixels of ten photographs at their own scale, and what is measured beside patches."""
    photographs, draw = (
        photographs_of(str(shared / "data" / "coco_mini" / "val2017"), most=10),
        np.random.default_rng(0),
    )
    crops = []
    for at in range(512):
        photograph = photographs[at % 10]
        y, x = (draw.integers(side - 31) for side in photograph.shape[1:])
        crops.append(photograph[:, y : y + 32, x : x + 32])
    near = Nearby(torch.stack(crops[:256]), torch.stack(crops[256:]), "random", 0, "none")
    return {name: (near.distance(near.baseline(name)), spectra(list(near.baseline(name)))) for name in BASELINES}


@pytest.mark.parametrize("seed", SEEDS)
def test_the_order_of_what_is_measured_beside_patches(beside, seed):
    """Other crops are nearest, then noisy ones, few ones, smooth pictures; noise is the farthest."""
    found = {name: distance["by_seed"][str(seed)][0] for name, (distance, _) in beside.items()}
    assert sorted(found, key=found.__getitem__) == list(BASELINES)
    high = {name: own["hf"] for name, (_, own) in beside.items()}
    assert high["smooth"] < high["crops"] < high["noisy crops"] < high["noise"]


def test_crops_are_nearer_than_noise(tmp_path, photographs):
    noise = torch.rand(8, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    for at in range(8):
        save(tmp_path / "crops" / "patches" / str(at), crop(photographs, at))
        save(tmp_path / "noise" / "patches" / str(at), noise[at])
    runs = [tmp_path / "crops", tmp_path / "noise"]
    for run in runs:
        (run / "run.json").write_text("{}")
    found = patch_statistics(runs, out=tmp_path / "run")
    near, far = found.sets
    assert [near["id"], far["id"]] == ["crops", "noise"]
    assert near["distance"]["frechet"] < 0.7 * far["distance"]["frechet"]
    assert near["file"]["hf"] < 0.6 < far["file"]["hf"]
    assert near["file"]["slope"] < far["file"]["slope"]
    assert near["distance"]["name"] == "FD-random"
    assert near["distance"]["appearances"] == 256
    assert [own["id"] for own in found.beside] == list(BASELINES)
    assert "FID" not in found.summary()
    again = patch_statistics(runs, out=tmp_path / "run")
    assert again.outcome.reused
    assert again.document()["sets"] == found.document()["sets"]


def test_an_image_shows_a_fine_patch_without_its_fine_detail(tmp_path):
    """300 pixels of the finest checks at 40: the file is all high frequencies, what is seen is not."""
    fine = ((torch.arange(300)[:, None] // 3 + torch.arange(300) // 3) % 2).float().expand(3, -1, -1).clone()
    place = [[40 / 300, 0, 5.0], [0, 40 / 300, 7.0], [0, 0, 1.0]]
    own = open_sets([save(tmp_path / "fine", fine, place=place)])[0]
    assert [tuple(picture.shape) for picture in own.seen] == [(3, 40, 40)]
    coarse = ((torch.arange(300)[:, None] // 60 + torch.arange(300) // 60) % 2).float().expand(3, -1, -1).clone()
    seen = open_sets([save(tmp_path / "coarse", coarse, place=place)])[0]
    assert spectra(seen.seen)["slope"] > spectra(seen.pictures)["slope"]
    assert open_sets([save(tmp_path / "alone", coarse)])[0].seen == []


def test_sizes_of_turned_patches_are_upright():
    turned = [[0.0, -0.5, 30], [0.25, 0.0, 10], [0, 0, 1.0]]
    assert size_at(turned, torch.zeros(3, 40, 80)) == (20, 20)


def test_outside_its_shape_a_patch_counts_nothing(tmp_path):
    alpha = torch.zeros(1, 16, 16)
    alpha[:, 4:12, 4:12] = 1
    content = torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(0))
    content[:, 4:12, 4:12] = 0.25
    Patch(alpha, content).save(tmp_path / "p")
    assert torch.allclose(open_sets([str(tmp_path / "p")])[0].pictures[0], torch.tensor(0.25))


def test_a_run_is_one_set_with_its_strength(tmp_path, photographs):
    place = [[1.0, 0, 0], [0, 1, 0], [0, 0, 1]]
    for at in range(2):
        save(tmp_path / "run" / "patches" / f"i{at}", crop(photographs, at), natural="vae", place=place)
    effect = {"measure": "iou_bin", "region": "rest", "mean": 0.25, "low": 0.1, "high": 0.4}
    (tmp_path / "run" / "run.json").write_text("{}")
    (tmp_path / "run" / "metrics.json").write_text(json.dumps({"effects": [effect]}))
    found = patch_statistics(tmp_path / "run")
    assert found.sets[0]["patches"] == 2
    assert found.sets[0]["effect"] == {"mean": 0.25, "low": 0.1, "high": 0.4}
    assert (found.sets[0]["natural"], found.sets[0]["radius"]) == ("vae", 1.0)
    assert found.sets[0]["seen"]["size"] == [32, 32]
    assert "+0.250" in found.summary()


def test_the_built_in_encoders_tell_noise_from_crops(photographs):
    for name, numbers in (("clip-demo", 64), ("sal-demo", 128)):
        near = Nearby.of(photographs, 32, 256, open_embedder(name), 0)
        found = [near.distance(near.baseline(one)) for one in ("crops", "noise")]
        assert found[0]["frechet"] < found[1]["frechet"]
        assert (found[0]["name"], found[0]["dimension"]) == (f"FD-{name}", numbers)


def test_inception_is_that_of_fid_or_none(tmp_path):
    """No weights are here: the shapes of its tensors, what its blocks pool, and that other files are refused."""
    network = fid_inception()
    state = {name: value for name, value in network.state_dict().items() if not name.endswith("num_batches_tracked")}
    assert sum(value.numel() for value in state.values()) == pytest.approx(95_628_359 / 4, rel=0.005)
    x = torch.zeros(1, 192, 5, 5)
    x[..., 0, 0] = 9.0
    seen = []
    network.Mixed_5b.branch_pool.register_forward_hook(lambda module, given, out: seen.append(given[0]))
    network.Mixed_5b(x)
    assert float(seen[-1][0, 0, 0, 0]) == pytest.approx(9 / 4)
    assert tuple(pooled(network)(torch.rand(1, 3, 16, 16)).shape) == (1, 2048)
    (tmp_path / "w.pth").write_bytes(b"no weights")
    with pytest.raises(WeightsError, match="FID: sha256 is"):
        open_embedder("inception", tmp_path / "w.pth")
    with pytest.raises(UsageError, match="--embedder inception needs the original weights"):
        open_embedder("inception")


def test_generators_are_measured_beside_crops(photographs):
    held_out = torch.cat([Nearby.of(photographs, 16, 256, "random", seed).others for seed in (3, 4)])
    near = generator_quality(lambda z: held_out[torch.randperm(len(held_out))[: len(z)]], 4, held_out)
    far = generator_quality(lambda z: z[:, :1, None, None].sigmoid().round().expand(-1, 3, 16, 16), 4, held_out)
    assert near.natural
    assert not far.natural
    assert near.record()["embedder"] == "FD-random"
    with pytest.raises(UsageError, match="480 or more"):
        generator_quality(lambda z: z, 4, held_out[:100])


def test_what_cannot_be_compared(tmp_path, photographs):
    alone = Patch(torch.ones(1, 16, 16), None, "card", (0.5, 0.0, 0.0))
    alone.save(tmp_path / "depth")
    small = save(tmp_path / "small", torch.rand(3, 4, 4))
    whole = save(tmp_path / "whole", crop(photographs))
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "run.json").write_text("{}")
    cases = [
        ({"patches": str(tmp_path / "depth")}, UsageError, "depth changes depth alone"),
        ({"patches": small}, UsageError, "small is 4 pixels wide, and 8 are compared"),
        ({"patches": str(tmp_path / "empty")}, DataError, "holds no patches"),
        ({"patches": str(tmp_path / "no")}, DataError, "pass the patch.png of a run"),
        ({"patches": []}, UsageError, "patch stats needs patches"),
        ({"patches": whole, "appearances": 10}, UsageError, "--appearances 10 say little"),
        ({"patches": whole, "embedder": "vgg"}, UsageError, "expected one of random, clip-demo"),
        ({"patches": whole, "weights": "x"}, UsageError, "--embedder random takes no weights file"),
        ({"patches": whole, "reference": "nothing"}, UsageError, "--reference nothing: "),
        ({"patches": whole, "reference": str(tmp_path / "empty")}, DataError, "no photographs there"),
        ({"patches": whole, "transforms": "rain"}, UsageError, "--transforms rain: expected one of none"),
    ]
    for settings, kind, text in cases:
        with pytest.raises(kind, match=text):
            patch_statistics(**settings)


def test_embedders_are_protocols():
    noise = np.random.default_rng(0).random((3, 3, 16, 16))
    embedder: Embedder = open_embedder("sal-demo")
    assert embedder(noise).shape == (3, 128)
    assert open_embedder("random") == "random"
