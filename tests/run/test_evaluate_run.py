"""Clean evaluation of models and of ready maps."""

import json

import cv2
import numpy as np
import pytest
from run_models import scenes, tiny

import rgbdsod as rs
from rgbdsod.datasets import load_dataset
from rgbdsod.errors import DataError, UsageError
from rgbdsod.metrics import saliency

NAMES = {"MAE": "mae", "Smeasure": "sm", "wFmeasure": "wfm", "adpFm": "fm_adp", "meanFm": "fm_mean",
         "maxFm": "fm_max", "adpEm": "em_adp", "meanEm": "em_mean", "maxEm": "em_max"}  # fmt: skip


@pytest.mark.parametrize(
    ("folder", "method"), [("JLDCF_demo", "JLDCF"), ("JLDCF_demo", "csnet-L-x1"), ("SSD", "csnet-L-x2")]
)
def test_published_maps_agree_with_the_reference(shared, folder, method):
    root = shared / "data" / "rgbd_sod"
    reference = json.loads((root / "reference_metrics.json").read_text())["results"][folder][method]
    data = load_dataset(root / folder, depth_invert=True)
    result = rs.evaluate_maps(root / folder / "pred" / method, data)
    assert len(result.samples) == reference["mean"].pop("n")
    for name, value in reference["mean"].items():
        assert result.values[NAMES[name]] == pytest.approx(value, abs=1e-9), name
    for row in result.samples:
        for name, value in reference["per_image"][row["id"]].items():
            assert row[f"clean_{NAMES[name]}"] == pytest.approx(value, abs=1e-9), (row["id"], name)


@pytest.fixture
def maps(tmp_path):
    """Maps of the tiny model as grey PNG, and what they measure."""
    folder = tmp_path / "maps"
    folder.mkdir()
    data, model = scenes(3), tiny()
    pictures = [(255 * sample.depth).round().astype(np.uint8) for sample in data]
    for sample, picture in zip(data, pictures, strict=True):
        cv2.imwrite(str(folder / f"{sample.id}.png"), picture)
    assert model is not None
    return folder, data, saliency(pictures, [sample.mask for sample in data])


def test_maps_in_any_form_measure_the_same(maps, tmp_path):
    folder, data, expected = maps
    other = tmp_path / "other"
    other.mkdir()
    grey = [cv2.imread(str(folder / f"{name}.png"), cv2.IMREAD_UNCHANGED) for name in data.ids]
    alpha = np.full_like(grey[0], 255)
    cv2.imwrite(str(other / f"{data.ids[0]}.png"), np.dstack([grey[0]] * 3 + [alpha]))
    cv2.imwrite(str(other / f"{data.ids[1]}.bmp"), np.dstack([grey[1]] * 3))
    cv2.imwrite(str(other / f"{data.ids[2]}.PNG"), grey[2].astype(np.uint16) * 257)
    for place in (folder, other):
        rows = rs.evaluate_maps(place, data).samples
        for name in ("mae", "sm", "wfm", "fm_max"):
            np.testing.assert_allclose([row[f"clean_{name}"] for row in rows], expected[name], atol=1e-12)


def test_maps_of_another_size_are_resized_and_that_is_said(maps, caplog):
    folder, data, _ = maps
    path = folder / f"{data.ids[0]}.png"
    cv2.imwrite(str(path), cv2.resize(cv2.imread(str(path), 0), (64, 64)))
    result = rs.evaluate_maps(folder, data)
    assert "1 of 3 maps have another size than their mask; they are resized (bilinear)" in caplog.messages
    assert result.record["model"]["resized"] == 1


def test_missing_double_and_broken_maps_are_errors(maps):
    folder, data, _ = maps
    (folder / f"{data.ids[1]}.png").rename(folder / "else.png")
    with pytest.raises(DataError, match=rf"no map for 1 of 3 ids in .*: {data.ids[1]} \(looked for ID.png"):
        rs.evaluate_maps(folder, data)
    (folder / "else.png").rename(folder / f"{data.ids[1]}.png")
    cv2.imwrite(str(folder / f"{data.ids[1]}.jpg"), np.zeros((32, 32), np.uint8))
    with pytest.raises(DataError, match="has two maps"):
        rs.evaluate_maps(folder, data)
    (folder / f"{data.ids[1]}.jpg").unlink()
    (folder / f"{data.ids[1]}.png").write_bytes(b"")
    with pytest.raises(DataError, match="is empty"):
        rs.evaluate_maps(folder, data)
    with pytest.raises(DataError, match="no such folder"):
        rs.evaluate_maps(folder / "nowhere", data)


def test_chosen_measures_and_both_protocols():
    result = rs.evaluate(tiny(), scenes(2), metrics=["mae", "sm"])
    assert list(result.values) == ["mae", "sm"]
    assert {name for name in result.samples[0] if name.startswith("clean")} == {
        "clean_mae", "clean_sm", "clean_mae_raw", "clean_sm_raw"
    }  # fmt: skip
    assert set(result.metrics["clean"]) == {"benchmark", "raw"}
    assert "wfm" in rs.evaluate(tiny(), scenes(2)).values
    with pytest.raises(UsageError, match='no metric "iuo"; there are mae, sm'):
        rs.evaluate(tiny(), scenes(2), metrics=["iuo"])


def test_names_of_measures_as_tables_and_json_have_them():
    one, other = (rs.evaluate(tiny(), scenes(2), metrics=names) for names in (["iou", "BER"], ["ber_bin", "iou_bin"]))
    assert one.metrics == other.metrics and set(one.values) == {"iou_bin", "ber_bin"}
    assert set(one.document()["clean"]) == {"iou", "ber"}
    with pytest.raises(UsageError, match="--metrics names none"):
        rs.evaluate(tiny(), scenes(2), metrics=[])


def test_clean_values_are_those_of_an_attack():
    clean = rs.evaluate(tiny(), scenes()).metrics["clean"]
    attacked = rs.attack(tiny(), scenes(), steps=1).metrics["clean"]
    assert clean == attacked


def test_folder_is_written_and_continued(tmp_path):
    first = rs.evaluate(tiny(), scenes(), out=tmp_path / "run")
    model = tiny()
    second = rs.evaluate(model, scenes(), out=tmp_path / "run")
    assert model.network.calls == 0 and first.metrics == second.metrics
    assert not (tmp_path / "run" / "adversarial").exists()
    assert (tmp_path / "run" / "images" / scenes().ids[0] / "clean_map.png").is_file()


def test_masks_without_foreground_are_counted_or_skipped(caplog):
    class OneEmpty(type(scenes())):
        def read(self, position):
            sample = super().read(position)
            if position == 1:
                sample.mask[:] = 0
            return sample

    data = OneEmpty(3, size=(32, 32), seed=3)
    assert len(rs.evaluate(tiny(), data).samples) == 3
    assert caplog.messages == [
        f"id {data.ids[1]}: mask has no foreground; F and S are undefined, counted as 0 (--empty skip leaves it out)"
    ]
    skipped = rs.evaluate(tiny(), data, empty="skip")
    assert [row["id"] for row in skipped.samples] == [data.ids[0], data.ids[2]]
