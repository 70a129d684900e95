"""An attack run: what it measures is what lies in its files."""

import json

import numpy as np
import pytest
import torch
from run_models import scenes, tiny

import rgbdsod as rs
from rgbdsod.datasets import load_dataset
from rgbdsod.errors import UsageError
from rgbdsod.metrics import from_counts
from rgbdsod.run.pictures import decode, from_levels
from rgbdsod.run.pieces import unpack
from rgbdsod.run.reduce import worst_rows

EPS = {"depth": 16 / 255}


@pytest.fixture(scope="module")
def result():
    return rs.attack(tiny(), scenes(), eps=EPS, steps=4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "attack"
    rs.attack(tiny(), scenes(), eps=EPS, steps=4, out=path, save_adversarial=True, batch=2)
    return path


def test_attack_lowers_the_maps_and_counts_its_passes(result):
    document = result.document()
    assert document["attacked"]["mae"] > document["clean"]["mae"]
    assert document["attacked"]["iou"] < document["clean"]["iou"]
    assert document["passes"] == {"forward": 5, "backward": 4}
    assert (document["modality"], document["images"], document["run"]) == ("depth", 4, None)
    assert document["fooled"] >= document["fooled_before"]


def test_untouched_input_stays_and_the_measured_change_is_inside_the_budget(result):
    budget = result.document()["budget"]
    assert budget["rgb"] == {"norm": "linf", "eps": 0.0, "measured": 0.0}
    assert 0.9 * EPS["depth"] < budget["depth"]["measured"] <= EPS["depth"]


def test_an_8_bit_budget_is_measured_to_the_last_bit():
    result = rs.attack(tiny(), scenes(), eps={"rgb": 3 / 255}, steps=2)
    assert result.document()["budget"]["rgb"]["measured"] == 3 / 255


def test_saved_adversarial_files_loaded_again_measure_the_same(folder):
    metrics = json.loads((folder / "metrics.json").read_text())
    again = rs.evaluate(tiny(), load_dataset(folder / "adversarial"))
    for protocol in ("benchmark", "raw"):
        assert again.metrics["clean"][protocol] == metrics["results"][0]["attacked"][protocol]


def test_saved_tensors_are_the_attack_before_rounding(folder):
    from safetensors.torch import load_file

    for sample in scenes():
        tensors = load_file(folder / "adversarial" / "tensors" / f"{sample.id}.safetensors")
        np.testing.assert_array_equal(tensors["rgb"].permute(1, 2, 0).numpy(), sample.rgb.astype(np.float32) / 255)
        assert np.abs(tensors["depth"][0].numpy() - sample.depth).max() <= EPS["depth"] + 1e-6


def test_holes_in_depth_are_left_alone_unless_asked_for():
    sample = next(s for s in scenes(12) if not s.valid.all())
    data = scenes(12).select(ids=[sample.id])
    for holes, moved in (("keep", False), ("free", True)):
        kept = rs.attack(tiny(), data, eps=EPS, steps=2, holes=holes)
        content = kept.outcome.store.read(f"adversarial/depth/{sample.id}.png")

        change = np.abs(from_levels(decode(content)) - sample.depth)[~sample.valid]
        assert bool(change.max() > 1e-3) is moved


def test_values_follow_from_the_stored_counts(folder):
    metrics = json.loads((folder / "metrics.json").read_text())
    stored = unpack((folder / "counts.npz").read_bytes())
    for name, block in (("clean", metrics["clean"]), ("attacked/0", metrics["results"][0]["attacked"])):
        for protocol in ("benchmark", "raw"):
            values = from_counts(stored.counts[name], protocol)
            assert block[protocol]["values"]["mae"] == pytest.approx(values["mae"].mean(), abs=1e-15)
            assert block[protocol]["values"]["sm"] == pytest.approx(values["sm"].mean(), abs=1e-15)


def test_folder_holds_what_the_documentation_says(folder):
    names = {path.name for path in folder.iterdir()}
    assert names == {"run.json", "config.toml", "metrics.json", "samples.parquet", "counts.npz", "times.json",
                     "images", "adversarial", "log.jsonl", ".locks"}  # fmt: skip
    pictures = {path.name for path in (folder / "images" / scenes().ids[0]).iterdir()}
    assert pictures == {f"{name}.png" for name in ("rgb", "depth", "adv_rgb", "adv_depth", "mask", "clean_map",
                                                    "attacked_map")}  # fmt: skip
    record = json.loads((folder / "run.json").read_text())
    assert record["status"] == "finished" and len(record["model"]["sha256"]) == 64
    assert record["data"]["fingerprint"] == scenes().fingerprint
    assert record["versions"]["torch"] == torch.__version__


def test_table_has_one_row_per_image(folder):
    import pyarrow.parquet as pq

    table = pq.read_table(folder / "samples.parquet").to_pylist()
    assert [row["id"] for row in table] == scenes().ids
    assert all(row["attacked_mae"] >= 0 and row["eps_depth"] == EPS["depth"] and row["eps_rgb"] == 0 for row in table)


def test_several_radii_give_rows_results_and_a_worst_case():
    result = rs.attack(tiny(), scenes(), eps={"rgb": [0, 8 / 255], "depth": [16 / 255, 4 / 255]}, steps=2)
    assert len(result.samples) == 8 and len(result.metrics["results"]) == 2
    document = result.document()
    assert [part["budget"]["rgb"]["eps"] for part in document["results"]] == [0, 8 / 255]
    worst = {row["id"]: row["attacked_iou_bin_raw"] for row in result.worst}
    for row in result.samples:
        assert worst[row["id"]] <= row["attacked_iou_bin_raw"]
    assert "worst of each image" in result.summary()


def test_the_worst_row_is_the_one_with_the_lowest_iou_then_s_then_the_largest_eps():
    def row(iou: float, sm: float, eps: float) -> dict[str, object]:
        return {"id": "a", "attacked_iou_bin_raw": iou, "attacked_sm_raw": sm, "eps_rgb": 0.0, "eps_depth": eps}

    for rows in ([row(0.2, 0.5, 0.1), row(0.1, 0.9, 0.1)], [row(0, 0.3, 0.3), row(0, 0.2, 0.1)],
                 [row(0, 0.2, 0.1), row(0, 0.2, 0.2)]):  # fmt: skip
        assert worst_rows(rows, ["a"]) == worst_rows(rows[::-1], ["a"]) == [rows[1]]


def test_radius_zero_changes_nothing():
    result = rs.attack(tiny(), scenes(2), eps=0, steps=3)
    document = result.document()
    assert document["attacked"] == document["clean"] == document["float"]["attacked"]
    assert document["fooled"] == document["fooled_before"]


def test_hide_and_paint_have_their_own_success():
    hidden = rs.attack(tiny(), scenes(2), eps=64 / 255, steps=8, goal="hide").document()
    assert hidden["success"] == "iou<0.5"
    target = np.zeros((16, 16), np.uint8)
    target[:, :8] = 255
    painted = rs.attack(tiny(), scenes(2), eps=0.5, steps=8, goal="paint", target=target).document()
    assert painted["success"] == "target-iou>=0.5" and painted["fooled"] == 2


def test_unsaved_run_is_saved_on_request_and_equals_a_written_one(result, folder, tmp_path):
    saved = result.save(tmp_path / "later")
    assert (saved / "metrics.json").read_bytes() == (folder / "metrics.json").read_bytes()
    assert (saved / "config.toml").read_bytes() == (folder / "config.toml").read_bytes()
    with pytest.raises(UsageError, match="lies in"):
        rs.attack(tiny(), scenes(), eps=EPS, steps=4, out=folder).save(tmp_path / "x")


def test_modes_and_gradients_of_the_model_are_put_back():
    model = tiny()
    model.train()
    model.network.gain.requires_grad_(True)
    rs.attack(model, scenes(2), steps=1)
    assert model.training and model.network.training
    assert model.network.gain.requires_grad and model.network.gain.grad is None


def test_several_eps_and_the_depth_of_16_bit_survive_in_bfloat16():
    document = rs.attack(tiny(), scenes(2), eps=EPS, steps=2, dtype="bfloat16").document()
    assert document["attacked"]["mae"] > document["clean"]["mae"]


def test_images_of_several_sizes_are_attacked_in_one_run():
    from rgbdsod.datasets import Scenes, join

    data = join("mixed", [Scenes(2, size=(32, 32), seed=1), Scenes(2, size=(24, 40), seed=2), scenes(1)])
    rows = rs.attack(tiny(), data, eps=EPS, steps=1).samples
    assert [row["id"] for row in rows] == data.ids
    assert [(row["height"], row["width"]) for row in rows] == data.sizes()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"attack": "fgsm", "steps": 5}, 'attack "fgsm" takes no --steps (it takes --eps --norm); '
                                         "for several steps use --attack pgd"),
        ({"attack": "pdg"}, 'no attack "pdg"; did you mean "pgd"? (rgbdsod list attacks)'),
        ({"modality": "thermal"}, "--modality thermal: tiny has inputs rgb, depth"),
        ({"eps": 8}, "--eps 8 is larger than the whole range [0, 1]; did you mean 8/255?"),
        ({"dtype": "int8"}, 'no dtype "int8"; there are float32, bfloat16, float16'),
        ({"goal": "paint"}, "--goal paint needs --target FILE, the map to paint"),
        ({"success": "dice<0.5"}, '--success "dice<0.5" is no rule'),
        ({"save_images": "few"}, "--save-images few: expected a number, all, none or auto"),
        ({"batch": 0}, "--batch 0: at least 1 image, or auto"),
        ({"holes": "fill"}, '--holes "fill": expected keep or free'),
        ({"momentum": 1.0}, 'attack "pgd" takes no --momentum (it takes --eps --norm --steps'),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_before_any_work(options, message):
    model = tiny()
    with pytest.raises(UsageError) as error:
        rs.attack(model, scenes(2), **options)
    assert str(error.value).startswith(message)
    assert model.network.calls == 0


def test_models_and_data_that_do_not_fit():
    with pytest.raises(UsageError, match="pass a name, or a torch module through"):
        rs.attack(torch.nn.Identity(), scenes(2))
    with pytest.raises(UsageError, match="a data set has rgb, depth"):
        rs.attack(rs.wrap(torch.nn.Conv2d(3, 1, 1), inputs=("thermal",)), scenes(2))
