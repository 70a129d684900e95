"""What files may hold, and what is said of damaged ones."""

import numpy as np
import pytest
from datasets_files import SIZE, depth_array, make_set, mask_array, rgb_array, save
from PIL import Image

from rgbdsod.datasets import load_dataset, read_map, read_mask, read_rgb
from rgbdsod.errors import DataError


def test_rgb_of_every_kind_has_three_channels(tmp_path):
    rgb = rgb_array()
    alpha = np.dstack([rgb, np.full(SIZE, 77, np.uint8)])
    assert np.array_equal(read_rgb(save(tmp_path / "a.png", rgb)), rgb)
    assert np.array_equal(read_rgb(save(tmp_path / "b.png", alpha)), rgb)
    grey = np.repeat(rgb[..., :1], 3, axis=2)
    assert np.array_equal(read_rgb(save(tmp_path / "c.png", rgb[..., 0])), grey)
    assert np.array_equal(read_rgb(save(tmp_path / "d.png", rgb[..., 0].astype(np.uint16) * 257)), grey)
    few = Image.fromarray(rgb).quantize(16)
    few.save(tmp_path / "e.png")
    assert np.array_equal(read_rgb(tmp_path / "e.png"), np.array(few.convert("RGB")))


def test_the_orientation_tag_turns_no_role(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # "turn by 90 degrees"
    image = Image.fromarray(rgb_array())
    image.save(tmp_path / "a.jpg", exif=exif)
    assert read_rgb(tmp_path / "a.jpg").shape == (*SIZE, 3)


@pytest.mark.parametrize("kind", ["L", "RGB", "RGBA", "1", "P", "0/1", "16 bit", "bool as L"])
def test_masks_of_every_kind_are_0_and_255(tmp_path, kind):
    mask = mask_array()
    path = tmp_path / "m.png"
    if kind in ("L", "RGB", "RGBA", "1", "P"):
        Image.fromarray(mask).convert(kind).save(path)
    elif kind == "16 bit":
        save(path, mask.astype(np.uint16) * 257)
    else:
        save(path, mask // 255)
    assert np.array_equal(read_mask(path), mask)


def test_a_map_is_left_as_it_is(tmp_path):
    faint = mask_array() // 255
    assert np.array_equal(read_map(save(tmp_path / "m.png", faint)), faint)


def test_grey_masks_keep_their_levels_and_are_counted(tmp_path):
    make_set(tmp_path)
    grey = mask_array()
    grey[0, :5] = (15, 16, 128, 239, 240)
    save(tmp_path / "GT/2.png", grey)
    data = load_dataset(tmp_path)
    assert np.array_equal(data[1].mask, grey)
    (warning,) = data.warnings
    assert "1 of 3 masks" in warning and "3 pixels are between 16 and 239 (most in 2)" in warning


def test_an_empty_mask_is_legal_and_told(tmp_path):
    make_set(tmp_path, ("0030", "0031"))
    save(tmp_path / "GT/0031.png", np.zeros(SIZE, np.uint8))
    data = load_dataset(tmp_path)
    assert data.warnings == [
        "id 0031: mask has no foreground; F and S are undefined, counted as 0 (--empty skip leaves it out)"
    ]
    assert not data[1].mask.any()


def test_a_full_mask_is_told(tmp_path):
    make_set(tmp_path, ("1", "2"))
    save(tmp_path / "GT/2.png", np.full(SIZE, 255, np.uint8))
    assert any("foreground all over: 2" in text for text in load_dataset(tmp_path).warnings)


def cut(path, keep: float):
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])


DAMAGE = {
    "empty": (lambda path: path.write_bytes(b""), r"is empty \(0 bytes\); copy it again"),
    "text": (
        lambda path: path.write_text("404: not\nfound here"),
        'not an image but a text that begins with "404: not found',
    ),
    "bytes": (lambda path: path.write_bytes(bytes(range(128, 228))), "is not an image, or its first bytes are damaged"),
    "cut": (lambda path: cut(path, 0.6), r"is cut short or damaged \(.+\); copy it again"),
}


@pytest.mark.parametrize("role", ["RGB/2.png", "RGB/2.jpg", "depth/2.png", "GT/2.png", "depth/2.bmp", "depth/2.npy"])
@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_files_are_named_before_any_work(tmp_path, role, damage):
    extension = role[-4:]
    folder = role.split("/")[0]
    templates = {"rgb": "RGB/{}.png", "depth": "depth/{}.png", "mask": "GT/{}.png"}
    key = {"RGB": "rgb", "depth": "depth", "GT": "mask"}[folder]
    make_set(tmp_path, **{**templates, key: f"{folder}/{{}}{extension}"}, size=(60, 80))
    harm, words = DAMAGE[damage]
    harm(tmp_path / role)
    if extension == ".npy" and damage in ("text", "bytes"):
        words = "is cut short or damaged"
    with pytest.raises(DataError, match=rf"{role}.*{words}") as error:
        load_dataset(tmp_path)
    assert "\n" not in str(error.value)


def test_damage_outside_the_selection_does_not_matter(tmp_path):
    make_set(tmp_path)
    (tmp_path / "RGB/2.jpg").write_bytes(b"")
    assert load_dataset(tmp_path, ids=["1", "10"])[1].id == "10"


def test_unchecked_sets_fail_when_the_damage_is_read(tmp_path):
    make_set(tmp_path)
    (tmp_path / "RGB/2.jpg").write_bytes(b"")
    data = load_dataset(tmp_path, check=False)
    assert data[0].id == "1"
    with pytest.raises(DataError, match="is empty"):
        data[1]
    with pytest.raises(DataError, match="is empty"):
        data.sizes()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("extension", [".npy", ".tiff"])
def test_depth_that_is_not_finite(tmp_path, value, extension):
    make_set(tmp_path, depth=f"depth/{{}}{extension}", dtype=np.float32)
    depth = depth_array(dtype=np.float32)
    depth[3, 4:6] = value
    save(tmp_path / f"depth/2{extension}", depth)
    with pytest.raises(DataError, match=rf"depth/2{extension} has 2 of 192 depth values that are not finite"):
        load_dataset(tmp_path)


def test_colour_instead_of_depth(tmp_path):
    make_set(tmp_path)
    save(tmp_path / "depth/2.png", rgb_array())
    with pytest.raises(DataError, match=r"depth/2.png is a colour picture"):
        load_dataset(tmp_path)


@pytest.mark.parametrize(
    "array",
    [np.zeros((*SIZE, 3), np.float32), np.full(SIZE, "a"), np.zeros(SIZE, complex), np.full(SIZE, {}, object)],
    ids=["three channels", "text", "complex", "objects"],
)
def test_arrays_that_are_no_depth_map(tmp_path, array):
    make_set(tmp_path, depth="depth/{}.npy")
    np.save(tmp_path / "depth/2.npy", array, allow_pickle=True)
    with pytest.raises(DataError, match=r"depth/2\.npy holds|depth/2\.npy is cut"):
        load_dataset(tmp_path)


def test_depth_values_out_of_range(tmp_path):
    make_set(tmp_path, depth="depth/{}.npy")
    np.save(tmp_path / "depth/2.npy", depth_array().astype(np.int32) - 100)
    with pytest.raises(DataError, match="depth values from -80 to 100; expected 0 to 65535"):
        load_dataset(tmp_path)


def test_sizes_that_differ_are_told_as_promised(tmp_path):
    make_set(tmp_path, ("0012",), size=(480, 640))
    save(tmp_path / "depth/0012.png", depth_array((240, 320)))
    with pytest.raises(DataError) as error:
        load_dataset(tmp_path)
    assert str(error.value) == "id 0012: rgb is 640x480 but depth is 320x240; resize them, or pass --resize-depth"
    assert load_dataset(tmp_path, resize_depth=True)[0].depth.shape == (480, 640)


def test_a_mask_of_another_size_has_no_such_flag(tmp_path):
    make_set(tmp_path, ("1",))
    save(tmp_path / "GT/1.png", mask_array((6, 8)))
    with pytest.raises(DataError) as error:
        load_dataset(tmp_path, resize_depth=True)
    assert str(error.value) == "id 1: rgb is 16x12 but mask is 8x6; resize them"
