"""Real images in both polarities."""

import numpy as np
import pytest

from rgbdsod.datasets import DepthConvention, check_folder, load_dataset, read_depth
from rgbdsod.errors import UsageError

TRIPLES = {"JLDCF_demo": 4, "SSD": 2, "NJU2K_demo": 3}


@pytest.mark.parametrize("name", TRIPLES)
def test_triples_are_near_dark_and_the_warning_says_so(shared, name):
    folder = shared / "data" / "rgbd_sod" / name
    plain, inverted = load_dataset(folder), load_dataset(folder, depth_invert=True)
    assert len(plain) == TRIPLES[name]
    (warning,) = plain.warnings
    assert "looks inverted" in warning and f"in 0 of {TRIPLES[name]} images; pass --depth-invert" in warning
    assert inverted.warnings == []
    for a, b in zip(plain, inverted, strict=True):
        assert a.size == b.size and set(np.unique(a.mask)) == {0, 255}
        assert np.allclose(a.depth + b.depth, 1, atol=1e-6) and a.depth_levels == 255
    assert inverted.sizes() == [sample.size for sample in inverted]


def test_a_folder_of_three_sets_lists_them(shared):
    with pytest.raises(UsageError, match=r"3 data sets.*JLDCF_demo.*NJU2K_demo.*SSD"):
        load_dataset(shared / "data" / "rgbd_sod")


def test_potholes_are_16_bit_with_holes(shared):
    data = load_dataset(shared / "data" / "pothole_rgbd")
    assert len(data) == 47 and len(set(data.sizes())) > 1
    sample = data[0]
    assert sample.depth_levels == 65535 and 0.9 < sample.valid.mean() < 1
    assert sample.depth[sample.valid].min() == 0 and sample.depth[sample.valid].max() == 1


@pytest.mark.parametrize(
    ("name", "inverted"), [("NJU2K_airplane", False), ("AFNet_demo", False), ("SMultiMAE_demo", True)]
)
def test_frames_of_both_polarities_without_masks(shared, name, inverted):
    data = load_dataset(shared / "data" / "rgbd_frames" / name, masks="optional")
    assert any("JPEG" in text for text in data.warnings)
    assert any("inverted" in text for text in data.warnings) == inverted
    assert data[0].mask is None


def test_a_kinect_frame_in_millimetres(shared):
    data = load_dataset(shared / "data" / "rgbd_camera", masks="optional", depth_unit="mm", depth_range=(500, 4000))
    assert len(data) == 5 and "millimetres" in data.convention
    sample = data[0]
    raw = read_depth(shared / "data/rgbd_camera/depth/00000.png") * 65535
    assert np.array_equal(sample.valid, raw > 0.5)
    expected = np.clip((4000 - raw[sample.valid]) / 3500, 0, 1)
    assert np.allclose(sample.depth[sample.valid], expected, atol=2e-5)


def test_a_16_bit_map_in_the_portable_format(shared):
    depth = read_depth(shared / "data/rgbd_camera/other_formats/NYU_depth.pgm", DepthConvention())
    assert depth.shape == (480, 640) and np.ptp(depth) > 0.9


def test_the_full_check_of_a_real_set(shared):
    findings = check_folder(shared / "data" / "rgbd_sod" / "SSD")
    assert any("2 images, but SSD has: all 80" in finding.text for finding in findings)
    assert not any(finding.level == "error" or "size" in finding.text for finding in findings)
