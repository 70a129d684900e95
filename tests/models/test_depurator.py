"""The depth depurator unit: the official decision in every golden case, and at the threshold itself."""

from pathlib import Path

import numpy as np
import pytest
import torch

from rgbdsod.models.depurator import depurate

CASES = (
    "agree",
    "disagree",
    "other_object",
    "float_below_quantised_above",
    "float_above_quantised_below",
    "constant_0.15",
)


def a_map(levels: object) -> torch.Tensor:
    """Probabilities (1,1,h,w) a little above whole levels, so that truncating gives the levels."""
    return ((torch.tensor(levels, dtype=torch.float32) + 0.25) / 255)[None, None]


@pytest.mark.parametrize("case", CASES)
def test_decisions_are_official(shared: Path, case: str) -> None:
    golden = np.load(shared / "golden" / "d3net.ddu.npz")
    assert sorted(golden["cases"]) == sorted(CASES)
    maps = (torch.from_numpy(golden[f"{case}.{name}"])[None, None] for name in ("s_rgb", "s_rgbd", "s_depth"))
    height, width = golden["target_shape"].tolist()
    result = depurate(*maps, (height, width))
    assert result.distance.item() == pytest.approx(float(golden[f"{case}.ddu"]), abs=1e-5)
    assert result.keep_depth.item() == golden[f"{case}.keep_depth"]
    difference = np.abs(result.maps[0].numpy().astype(int) - golden[f"{case}.prediction_u8"].astype(int))
    assert difference.max() <= 1


def test_a_batch_gives_what_its_images_give(shared: Path) -> None:
    golden = np.load(shared / "golden" / "d3net.ddu.npz")
    names = ("s_rgb", "s_rgbd", "s_depth")
    stacked = [torch.from_numpy(np.stack([golden[f"{case}.{name}"] for case in CASES])[:, None]) for name in names]
    together = depurate(*stacked, (33, 47))
    for index in range(len(CASES)):
        alone = depurate(*(s[index : index + 1] for s in stacked), (33, 47))
        assert all(torch.equal(a[index : index + 1], b) for a, b in zip(together, alone, strict=True))


@pytest.mark.parametrize(("total", "kept"), [(152, True), (153, False), (154, False)])
def test_a_distance_of_exactly_the_threshold_drops_depth(total: int, kept: bool) -> None:
    """Over four pixels 0.15 is 153 levels in all."""
    s_rgbd, s_depth = a_map([[200, 200], [200, 200]]), a_map([[200 - (total - 150), 150], [150, 150]])
    result = depurate(a_map([[7, 7], [7, 7]]), s_rgbd, s_depth, (2, 2))
    assert result.keep_depth.tolist() == [kept]
    assert result.maps.unique().tolist() == [200 if kept else 7]


def test_one_level_in_a_million_pixels_decides() -> None:
    """A difference of one level in one of so many pixels is finer than float32."""
    side = 2000
    s_rgbd = a_map(np.full((side, side), 100))
    levels = np.full((side, side), 100 - 38)
    levels.flat[: side * side // 4] -= 1  # 38.25 levels on average: exactly the threshold
    assert not depurate(s_rgbd, s_rgbd, a_map(levels), (side, side)).keep_depth.item()
    levels.flat[0] += 1
    assert depurate(s_rgbd, s_rgbd, a_map(levels), (side, side)).keep_depth.item()


def test_maps_are_truncated_and_not_rounded() -> None:
    almost = torch.full((1, 1, 4, 4), 100.99 / 255)
    assert depurate(almost, almost, almost, (4, 4)).maps.unique().tolist() == [100]
