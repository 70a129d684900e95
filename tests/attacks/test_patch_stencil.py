"""Shapes from pictures: the alpha of a file, its sides, and what is no shape."""

import re

import cv2
import numpy as np
import pytest
import torch
from patch_scenes import victim

from rgbdsod.attacks import Budget, adversarial_patch
from rgbdsod.attacks.patch.shapes import outline, sides, window
from rgbdsod.attacks.patch.stencil import stencil, stencil_facts
from rgbdsod.errors import DataError, UsageError


@pytest.fixture
def drawing(tmp_path):
    """Writes pictures by their alpha, uint8 or uint16 (h,w)."""

    def write(alpha, name="shape.png"):
        path = tmp_path / name
        assert cv2.imwrite(str(path), np.dstack([np.full_like(alpha, 7)] * 3 + [alpha]))
        return str(path)

    return write


def corner(rows=12, columns=20):
    """An L of 4 and 6 pixels wide, in the middle of an empty sheet."""
    alpha = np.zeros((rows + 8, columns + 8), np.uint8)
    alpha[4 : 4 + rows, 4:10] = 255
    alpha[rows : 4 + rows, 4 : 4 + columns] = 255
    return alpha


def test_the_shape_is_the_alpha_without_its_empty_rim(drawing):
    path, alpha = drawing(corner()), corner()[4:16, 4:24]
    assert torch.equal(stencil(path)[0], torch.from_numpy(alpha.astype(np.float32) / 255))
    assert sides(path) == (20, 12)
    assert torch.equal(outline(path, 12, 20), stencil(path))
    half = outline(path, 6, 10)
    assert half.shape == (1, 6, 10)
    assert half[0, :4, :3].min() > 0.7
    assert half[0, :3, 5:].max() < 0.1


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_partly_transparent_is_partly_cover(drawing, kind):
    most = np.iinfo(kind).max
    alpha = np.array([[most, most // 4], [most, 0]], kind)
    assert torch.allclose(stencil(drawing(alpha))[0], torch.tensor([[1.0, 0.25], [1.0, 0.0]]), atol=0.01)


def test_the_share_counts_what_is_covered_by_half(drawing):
    """An L of 12 x 20 pixels covers 6 * 12 + 4 * 14 = 128 of its 240."""
    path = drawing(corner())
    rows, columns = window(128 / 40_000, path, (200, 200))
    assert (rows, columns) == (12, 20)
    assert window(128 / 40_000, stencil(path), (200, 200)) == (12, 20)


def test_a_patch_has_the_drawn_shape(drawing):
    """At the size of the drawing its mask is the drawing, pixel for pixel."""
    path = drawing(corner())
    problem, inputs = victim(1, 40)
    result = adversarial_patch(
        problem, inputs, {"rgb": Budget(eps=1.0)}, steps=2, shape=path, patch_size=128 / 1600, start="grey"
    )
    rows, columns = result.mask[0, 0].any(1).nonzero().flatten(), result.mask[0, 0].any(0).nonzero().flatten()
    found = result.mask[0, 0, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    assert torch.equal(found, torch.from_numpy(corner()[4:16, 4:24] > 0))
    assert result.patches[0].facts["shape_sha256"] == stencil_facts(path)["shape_sha256"]
    assert torch.equal(result.inputs["rgb"][0, :, ~result.mask[0, 0]], inputs["rgb"][0, :, ~result.mask[0, 0]])


def test_what_is_no_shape_is_a_sentence(drawing, tmp_path):
    opaque = tmp_path / "photo.png"
    cv2.imwrite(str(opaque), np.zeros((4, 4, 3), np.uint8))
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    (tmp_path / "nothing.png").write_bytes(b"")
    faint = drawing(np.full((4, 4), 100, np.uint8), "faint.png")
    for path, text in (
        (tmp_path / "absent.png", "cannot read --shape {}: no such file or directory"),
        (tmp_path / "nothing.png", "--shape {} is empty"),
        (broken, "--shape {} is no picture that can be read"),
        (opaque, "--shape {} has no alpha channel, which is the shape; save it as RGBA"),
        (faint, "--shape {}: its alpha reaches one half nowhere"),
    ):
        with pytest.raises(DataError, match=f"^{re.escape(text.format(path))}"):
            window("5%", str(path), (100, 100))
    line = np.zeros((64, 64), np.uint8)
    line[:, 0] = line[0] = line[:, -1] = 255
    with pytest.raises(UsageError, match="thinner than a pixel on 4x4 pixels; pass a larger size"):
        outline(drawing(line, "thin.png"), 4, 4)
    with pytest.raises(UsageError, match=re.escape("and a picture with alpha, FILE.png")):
        window("5%", "star", (100, 100))
    with pytest.raises(UsageError, match=r"patch of .* pixels is larger than the image of 10x10"):
        window("90%", drawing(corner()), (10, 10))
