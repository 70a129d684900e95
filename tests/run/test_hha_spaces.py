"""Whole runs on a network that reads HHA, in each of the three spaces a budget can be in."""

import json
from dataclasses import replace

import numpy as np
import pytest
from run_models import scenes, tiny
from torch import nn

import rgbdsod as rs
from rgbdsod.datasets import Dataset, DepthScale, HHAEncoder, pseudo_hha
from rgbdsod.errors import UsageError
from rgbdsod.models import ThroughDepth, build_model
from rgbdsod.run.pictures import decode, from_levels

SCALE = DepthScale(0.5, 5.5, "linear")
CAMERA = np.array([[26.0, 0, 16.5], [0, 26.0, 16.5], [0, 0, 1]])


class ReadsHha(nn.Module):
    """What is near and stands upright is salient."""

    def forward(self, rgb, hha):
        return 20 * (hha[:, :1] - 0.5) + 4 * (hha[:, 2:] - 0.5) + rgb.mean(1, keepdim=True)


class Known(Dataset):
    """Scenes that know camera and metres; the last one's may differ."""

    def __init__(self, count=3, odd=False):
        self.inner = scenes(count)
        self.odd = odd
        super().__init__("known", self.inner.ids, convention="near = 1, 0.5 to 5.5 m")

    def read(self, position):
        far = 9.0 if self.odd and position == len(self) - 1 else 5.5
        return replace(self.inner.read(position), camera=CAMERA, scale=DepthScale(0.5, far, "linear"))

    def size(self, position):
        return self.inner.size(position)

    def digest(self, position):
        return self.inner.digest(position)


def model():
    return rs.wrap(ReadsHha(), inputs=("rgb", "hha"), name="reads-hha").eval()


def picture(result, role, sample):
    return decode(result.outcome.store.read(f"adversarial/{role}/{sample.id}.png"))


def test_the_network_reads_metric_hha_where_it_is_known_and_pseudo_hha_elsewhere():
    known, relative = rs.evaluate(model(), Known()), rs.evaluate(model(), scenes(3))
    assert known.metrics["clean"] != relative.metrics["clean"]


def test_channels_of_the_file_are_attacked_by_default():
    result = rs.attack(model(), scenes(3), modality="hha", eps=8 / 255, steps=3)
    document, record = result.document(), result.outcome.record
    assert document["modality"] == "hha" and document["space"] == "hha"
    assert document["budget"]["hha"]["measured"] == 8 / 255 and document["budget"]["rgb"]["measured"] == 0
    assert document["attacked"]["mae"] > document["clean"]["mae"]
    assert record["hha"]["space"] == "hha" and record["hha"]["camera"] == "assumed" and not record["hha"]["metric"]
    for sample in scenes(3):
        clean = pseudo_hha(sample.depth, valid=sample.valid).image.astype(int)
        assert np.abs(picture(result, "HHA", sample) - clean).max() == 8


def test_a_depth_budget_is_kept_in_depth(tmp_path):
    data = scenes(3)
    result = rs.attack(model(), data, modality="hha", space="depth", eps=8 / 255, steps=3, out=tmp_path / "run")
    document = result.document()
    assert document["modality"] == "depth" and document["space"] == "depth"
    assert 0.9 * 8 / 255 < document["budget"]["depth"]["measured"] <= 8 / 255
    assert document["attacked"]["mae"] > document["clean"]["mae"]
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["space"] == "depth"
    assert metrics["results"][0]["attacked"] != metrics["results"][0]["float"]  # rounding goes through the encoding too


def test_a_budget_in_metres_and_the_verdict_is_that_of_the_files():
    data, metres = Known(), 0.1
    result = rs.attack(model(), data, modality="hha", space="metric", eps=metres, steps=3)
    document, record = result.document(), result.outcome.record
    assert record["hha"]["eps_metres"] == [metres] and record["hha"]["metric"]
    assert record["hha"]["camera"] == CAMERA.tolist() and record["settings"]["eps_depth"] == [metres]
    assert document["budget"]["depth"]["eps"] == pytest.approx(SCALE.share(metres))
    for sample in data:
        depth = from_levels(picture(result, "depth", sample))
        moved = SCALE.metres(depth.astype(float))
        assert np.abs(moved - SCALE.metres(sample.depth.astype(float))).max() <= metres + 1e-4
    row = next(row for row in result.outcome.piece.rows if row["id"] == data.ids[0])
    assert row["depth_linf"] <= SCALE.share(metres) + 1e-9
    files = AsFiles(data, result)
    assert rs.evaluate(model(), files).metrics["clean"]["raw"] == result.metrics["results"][0]["attacked"]["raw"]


class AsFiles(Known):
    """The same scenes with the depth that a run saved."""

    def __init__(self, data, result):
        super().__init__(len(data))
        self.result = result

    def read(self, position):
        sample = super().read(position)
        return replace(sample, depth=from_levels(picture(self.result, "depth", sample)))


def test_both_inputs_in_metres_and_levels():
    result = rs.attack(model(), Known(), space="metric", eps={"rgb": 4 / 255, "depth": (0.02, 0.05)}, steps=2)
    budgets = [found["budget"] for found in result.metrics["results"]]
    assert [budget["rgb"]["eps"] for budget in budgets] == [4 / 255, 4 / 255]
    assert [budget["depth"]["eps"] for budget in budgets] == pytest.approx([SCALE.share(0.02), SCALE.share(0.05)])


def test_an_attack_on_colour_alone_leaves_the_encoding_alone():
    for space in ("hha", "depth"):
        result = rs.attack(model(), scenes(2), modality="rgb", space=space, steps=2)
        assert result.document()["budget"]["rgb"]["measured"] > 0


def test_a_model_that_takes_depth_already_keeps_its_encoding():
    through = ThroughDepth(model(), HHAEncoder.pseudo(SCALE))
    for settings, found in (({"eps": 8 / 255}, "depth"), ({"eps": 0.1, "space": "metric"}, "metric")):
        result = rs.attack(through, scenes(2), modality="depth", steps=2, **settings)
        assert result.document()["space"] == found and result.outcome.record["hha"]["scale"] == SCALE.words
        assert not result.outcome.record["hha"]["metric"]
    with pytest.raises(UsageError, match="takes depth; pass the model that it was made from"):
        rs.attack(through, scenes(2), space="hha", steps=1)


def test_a_network_that_encodes_depth_inside_is_opened_for_the_space():
    network = build_model("unet.small", fusion="early6", seed=0, device="cpu").eval()
    for space, attacked in (("hha", "hha"), ("depth", "depth")):
        result = rs.attack(network, scenes(1, 64), modality="hha", space=space, eps=4 / 255, steps=1)
        assert result.document()["modality"] == attacked and result.outcome.record["hha"]["space"] == space
        assert 0 < result.document()["budget"][attacked]["measured"] <= 4 / 255
    with pytest.raises(UsageError, match="makes pseudo-HHA, but known states a camera or metres"):
        rs.attack(network, Known(1), modality="hha", space="hha", steps=1)
    with pytest.raises(UsageError, match="needs a linear scale"):
        rs.attack(network, scenes(1, 64), modality="hha", space="metric", eps=0.1, steps=1)


def test_prepared_and_checked_runs():
    result = rs.attack(model(), scenes(2), modality="hha", space="depth", steps=3, prepared=True, check=True)
    assert result.metrics["health"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"space": "depht"}, r'--space "depht": expected hha, depth, metric'),
        ({"space": "metric", "modality": "hha", "eps": 0.1}, "needs metres and a camera.*rgbdsod.toml"),
        ({"space": "depth", "eps": {"hha": 0.1}}, "--eps-hha: .* has inputs rgb, depth"),
        ({"space": "hha", "modality": "depth"}, "has inputs rgb, hha"),
    ],
)
def test_what_does_not_fit_is_refused(settings, words):
    with pytest.raises(UsageError, match=words):
        rs.attack(model(), scenes(2), steps=1, **settings)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"eps": 0.1}, "pass --modality hha, or --eps-depth"),
        ({"modality": "hha"}, "no usual radius"),
        ({"modality": "hha", "eps": 0.1, "norm": "l2"}, "leave out --norm l2"),
    ],
)
def test_metres_that_do_not_fit_are_refused(settings, words):
    with pytest.raises(UsageError, match=words):
        rs.attack(model(), Known(2), steps=1, space="metric", **settings)


def test_a_space_needs_a_network_that_reads_hha_and_one_camera():
    with pytest.raises(UsageError, match="is for models that read hha; tiny has inputs rgb, depth"):
        rs.attack(tiny(), scenes(2), space="depth", steps=1)
    with pytest.raises(UsageError, match="another camera or another scale"):
        rs.attack(model(), Known(odd=True), space="depth", steps=1)
