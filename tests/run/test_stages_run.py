"""The ablation of stages: known answers, files, attacks that know of the intervention, and what is refused."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from cli_schema import problems
from interventions import Given, mixed, two_places
from run_models import StandsOut, scenes, tiny
from torch import nn

import rgbdsod as rs
from rgbdsod.errors import UsageError
from rgbdsod.models import load_model, wrap
from rgbdsod.run.attack_settings import AttackSettings
from rgbdsod.run.interventions.ablate import ablate_stages

SCHEMA = json.loads((Path(__file__).resolve().parents[2] / "rgbdsod" / "cli" / "schemas" / "stages-1.json").read_text())
EPS = 16 / 255


def attack(**changes):
    return AttackSettings(**{"attack": "pgd", "eps": EPS, "parameters": {"steps": 1}} | changes)


def cells(result):
    return {(cell.stage, cell.stream, cell.mode): cell for cell in result.cells}


@pytest.fixture(scope="module")
def result():
    return ablate_stages(two_places(), scenes(), attack=attack())


def test_every_place_and_mode(result):
    stages, streams, modes = ["input", "fine", "coarse"], ["rgb", "depth"], ["cut", "mean", "noise", "swap"]
    assert list(cells(result)) == [(a, b, c) for a in stages for b in streams for c in modes]
    assert [(each.stage, each.mode) for each in result.reliance] == [(a, c) for a in stages for c in modes]
    assert (result.stages, result.images, result.data) == (stages, 4, "scenes:4@32x32#3")


def test_the_intact_network_is_what_the_attack_says(result):
    alone = rs.attack(two_places(), scenes(), "pgd", eps=EPS, steps=1).document()
    for measure, value in result.intact.clean.items():
        assert value == alone["clean"][measure]
        assert result.intact.attacked[measure] == alone["attacked"][measure]
    assert result.intact.fooled == alone["fooled"]


def test_changes_are_from_the_intact_network(result):
    for cell in result.cells:
        for measure, change in cell.change.items():
            assert change.mean == pytest.approx(cell.clean[measure] - result.intact.clean[measure])
            assert (change.low is None) == (measure == "fm_max")
            assert change.low is None or change.low <= change.mean <= change.high
            after = cell.attacked_change[measure].mean
            assert after == pytest.approx(cell.attacked[measure] - result.intact.attacked[measure])


def test_shares_add_up(result):
    for each in result.reliance:
        drops = [cells(result)[each.stage, stream, each.mode].change["sm"].mean for stream in each.drop]
        assert list(each.drop.values()) == pytest.approx([-drop for drop in drops])
        if each.share["rgb"].value is not None:
            assert sum(share.value for share in each.share.values()) == pytest.approx(1)


def test_a_network_without_depth_is_that_network(result):
    """Cutting depth at the input of this network is the same as a gain of 0 for it, also under an attack on RGB."""
    blind = StandsOut()
    blind.gain.data[1] = 0
    expected = rs.attack(wrap(blind, name="blind").eval(), scenes(), "pgd", eps=EPS, modality="rgb", steps=1)
    found = ablate_stages(
        tiny(), scenes(), stages="input", streams="depth", modes="cut", attack=attack(modality="rgb")
    ).cells[0]
    document = expected.document()
    for measure in found.clean:
        assert found.clean[measure] == document["clean"][measure]
        assert found.attacked[measure] == pytest.approx(document["attacked"][measure], abs=1e-3)
    assert found.fooled == document["fooled"]


def test_an_attack_on_a_stream_that_is_cut_does_nothing():
    found = ablate_stages(
        two_places(), scenes(2), stages="input", streams="depth", modes=["cut", "swap"], attack=attack(modality="depth")
    )
    for cell in found.cells:
        assert cell.attacked == cell.clean


def test_swapping_identical_images_changes_nothing():
    one = scenes(1)[0]
    twins = Given([replace(one, id=name) for name in "abc"])
    for cell in ablate_stages(two_places(), twins, modes="swap").cells:
        assert {change.mean for change in cell.change.values()} == {0}


def test_swapping_identical_images_changes_nothing_in_bbsnet():
    one = scenes(1, 64)[0]
    twins = Given([replace(one, id=name) for name in "ab"])
    model = load_model("bbsnet", device="cpu").at((64, 64))
    found = ablate_stages(model, twins, modes="swap", stages=["0", "4_1"])
    assert len(found.cells) == 4
    for cell in found.cells:
        assert {change.mean for change in cell.change.values()} == {0}


def test_the_mean_at_the_input_of_an_rgb_network():
    """All maps are of one grey image, so none depends on its own."""
    seen = []

    class Colour(nn.Module):
        def forward(self, rgb):
            seen.append(rgb)
            return rgb.mean(1, keepdim=True)

    data = scenes(3)
    found = ablate_stages(wrap(Colour(), inputs=("rgb",), name="colour"), data, modes="mean")
    colours = torch.stack([torch.from_numpy(sample.rgb).permute(2, 0, 1).float() / 255 for sample in data])
    expected = colours.mean((0, 2, 3)).view(1, 3, 1, 1).expand(3, 3, 32, 32)
    torch.testing.assert_close(seen[-1], expected)
    assert [(cell.stage, cell.stream) for cell in found.cells] == [("input", "rgb")]
    assert found.reliance == []


def test_the_batch_changes_nothing(result):
    alone = ablate_stages(two_places(), scenes(), stages="coarse", attack=attack(), batch=1)
    assert len(alone.cells) == 8
    for one, other in zip(alone.cells, result.cells[-8:], strict=True):
        assert one.clean == pytest.approx(other.clean, abs=2e-3)
        assert one.attacked == pytest.approx(other.attacked, abs=2e-3)


def test_images_of_several_sizes_in_batches_of_any():
    data = mixed([32, 48, 32, 48, 40])
    whole, alone = (ablate_stages(two_places(), data, stages="coarse", batch=batch) for batch in (4, 1))
    for one, other in zip(alone.cells, whole.cells, strict=True):
        assert one.clean == pytest.approx(other.clean, abs=2e-3)


def test_the_model_is_left_as_it_was(monkeypatch):
    model = two_places()
    model.network.coarse.train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(ZeroDivisionError):
        ablate_stages(model, scenes(2), modes="cut", callback=lambda done, total: 1 // (total - done))
    ablate_stages(model, scenes(2), modes="cut")
    assert model.network.coarse.training
    assert not model.training
    assert all(weight.requires_grad for weight in model.parameters())
    assert all(not part._forward_pre_hooks for part in model.modules())
    assert list(model.state_dict()) == list(before)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_progress_counts_passes_over_images():
    seen = []
    ablate_stages(tiny(), scenes(2), modes="cut", callback=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (6, 6)
    assert seen == sorted(seen)


def test_files_and_document(result, tmp_path):
    result.save(tmp_path / "here")
    document = json.loads((tmp_path / "here" / "stages.json").read_text())
    assert problems(document, SCHEMA) == []
    assert document == json.loads(json.dumps(result.document()))
    with (tmp_path / "here" / "stages.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 24
    assert float(rows[0]["change_sm_low"]) == result.cells[0].change["sm"].low
    assert float(rows[0]["attacked_change_mae_mean"]) == result.cells[0].attacked_change["mae"].mean
    clean = ablate_stages(tiny(), scenes(2), modes="cut")
    assert problems(json.loads(json.dumps(clean.document())), SCHEMA) == []


def test_summary(result):
    lines = result.summary().splitlines()
    titles = ["Sm up", "change of Sm", "maxF up", "MAE down", "IoU up", "attacked Sm", "change", "fooled"]
    assert lines[0].split() == " ".join(["stage and stream by", *titles]).split()
    assert lines[1].startswith("intact ")
    assert sum(line.startswith(("input ", "fine ", "coarse ")) for line in lines) == 24 + 12
    assert "cut   zeros" in lines
    assert "attacked" not in ablate_stages(tiny(), scenes(2), modes="cut").summary()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stages": ["5"]}, 'two places has no stage "5"; its stages are input, fine, coarse \\(or all\\)'),
        ({"stages": []}, "--stage names nothing"),
        ({"streams": "hue"}, 'two places has no stream "hue"; pass --stream rgb or depth, or both'),
        ({"modes": "blur"}, 'no mode "blur"; modes are cut, mean, noise, swap'),
        ({"modes": []}, "--mode names nothing; pass one or more of cut,mean,noise,swap"),
        ({"attack": AttackSettings(eps=(0.01, 0.02))}, "--eps has 2 values; an ablation of stages has one radius"),
        ({"data": scenes(1), "modes": "swap"}, "--mode swap takes another image's map, but .* has one image"),
    ],
)
def test_what_is_refused(changes, message):
    with pytest.raises(UsageError, match=message):
        ablate_stages(two_places(), **{"data": scenes(2)} | changes)


def test_a_reference_has_one_stream():
    one = load_model("bbsnet", fusion="rgb", device="cpu")
    with pytest.raises(UsageError, match='has no stream "depth"; pass --stream rgb'):
        ablate_stages(one, scenes(2), streams="depth")
