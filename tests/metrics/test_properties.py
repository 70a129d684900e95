"""What holds for any maps: batches, orders, forms, edge cases."""

import numpy as np
import pytest
import torch
from metrics_pairs import blobs, mixed, noise

from rgbdsod.metrics import (
    METRICS,
    MaskCache,
    ber,
    counts,
    curves,
    em,
    fm,
    from_counts,
    iou,
    mae,
    saliency,
    sm,
    summary,
    wfm,
    without_foreground,
)
from rgbdsod.metrics.histogram import _at_once
from rgbdsod.metrics.masks import region

BLACK, WHITE = np.zeros((6, 7), np.uint8), np.full((6, 7), 255, np.uint8)


def same(found, expected):
    assert list(found) == list(expected)
    for name in expected:
        np.testing.assert_array_equal(found[name], expected[name], err_msg=name)


@pytest.mark.parametrize("protocol", ["benchmark", "raw"])
def test_a_batch_of_mixed_sizes_equals_its_images_alone(protocol):
    preds, masks = mixed(8)
    alone = [saliency(pred, mask, protocol) for pred, mask in zip(preds, masks, strict=True)]
    expected = {name: np.concatenate([one[name] for one in alone]) for name in alone[0]}
    same(saliency(preds, masks, protocol), expected)


def test_order_does_not_matter():
    preds, masks = mixed(7, seed=20)
    forward, backward = saliency(preds, masks), saliency(preds[::-1], masks[::-1])
    same({name: value[::-1] for name, value in backward.items()}, forward)


@pytest.mark.filterwarnings("error")
def test_every_form_of_input_gives_the_same():
    made = [blobs(seed, (20, 26)) for seed in range(3)]
    preds, masks = np.stack([p for p, _ in made]), np.stack([m for _, m in made])
    expected = saliency(list(preds), list(masks))
    same(saliency(preds, masks), expected)
    same(saliency(torch.from_numpy(preds), torch.from_numpy(masks)), expected)
    same(saliency(torch.from_numpy(preds)[:, None], masks[:, None]), expected)
    same(saliency(tuple(preds), [torch.from_numpy(mask) for mask in masks]), expected)
    frozen = preds.copy()
    frozen.flags.writeable = False
    same(saliency(frozen, masks), expected)
    same(saliency(np.asfortranarray(preds), masks[:, ::-1][:, ::-1]), expected)


def test_one_map_alone():
    pred, mask = blobs(3, (18, 21))
    values = saliency(pred, mask)
    assert {value.shape for value in values.values()} == {(1,)}
    assert {value.dtype for value in values.values()} == {np.dtype(np.float64)}
    same(saliency(pred[None], torch.from_numpy(mask)), values)


def test_inputs_are_left_alone():
    preds, masks = mixed(3, seed=5)
    before = [array.copy() for array in preds + masks]
    saliency(preds, masks, cache=MaskCache())
    for array, copy in zip(preds + masks, before, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_counts_hold_every_pixel_once_and_say_where():
    preds, masks = mixed(5)
    found = counts(preds, masks)
    assert found.shape == (5, 2048)
    assert found.dtype == np.int64
    for row, pred, mask in zip(found.reshape(5, 4, 2, 256), preds, masks, strict=True):
        np.testing.assert_array_equal(row.sum(axis=(0, 1)), np.bincount(pred.ravel(), minlength=256))
        np.testing.assert_array_equal(row[:, 1].sum(axis=0), np.bincount(pred[mask > 128], minlength=256))


def test_parts_meet_at_the_centroid():
    mask = np.zeros((5, 6), np.uint8)
    mask[1, 2] = mask[1, 3] = 255  # the mean column, 2.5, rounds to 2
    parts = counts(np.zeros_like(mask), mask).reshape(4, 2, 256).sum(axis=(1, 2))
    np.testing.assert_array_equal(parts, [2 * 3, 2 * 3, 3 * 3, 3 * 3])


def test_a_launch_for_the_whole_batch_counts_the_same():
    """The way of an accelerator, on the CPU."""
    preds, masks = (list(map(torch.from_numpy, side)) for side in mixed(6))
    together = _at_once([region(mask) + pred for pred, mask in zip(preds, masks, strict=True)])
    np.testing.assert_array_equal(together.numpy(), counts(preds, masks))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_maps_on_a_gpu_give_the_same():
    preds, masks = mixed(6)
    on_gpu = [torch.from_numpy(pred).cuda() for pred in preds]
    same(saliency(on_gpu, masks, cache=MaskCache()), saliency(preds, masks))


def test_values_from_stored_counts():
    preds, masks = mixed(4)
    stored = counts(preds, masks)
    for protocol in ("benchmark", "raw"):
        same(from_counts(stored, protocol), saliency(preds, masks, protocol, wfm=False))
        values = from_counts(stored[[2]], protocol)
        assert values["sm"][0] == from_counts(stored, protocol)["sm"][2]


def test_one_measure_at_a_time():
    preds, masks = mixed(4)
    values = saliency(preds, masks, "raw")
    for found, name in [
        (mae(preds, masks, "raw"), "mae"),
        (sm(preds, masks, "raw"), "sm"),
        (wfm(preds, masks, "raw"), "wfm"),
        (em(preds, masks, protocol="raw"), "em_max"),
        (fm(preds, masks, "adp", "raw"), "fm_adp"),
        (iou(preds, masks, protocol="raw"), "iou_bin"),
        (ber(preds, masks, "mean", "raw"), "ber_mean"),
    ]:
        np.testing.assert_array_equal(found, values[name], err_msg=name)


@pytest.mark.parametrize("protocol", ["benchmark", "raw"])
@pytest.mark.parametrize("mask", [BLACK, WHITE, np.eye(6, 7, dtype=np.uint8) * 255], ids=["black", "white", "line"])
@pytest.mark.parametrize("pred", [BLACK, WHITE, BLACK + 7, np.eye(6, 7, dtype=np.uint8) * 9 + 3])
def test_never_nan_and_within_bounds(pred, mask, protocol):
    values = saliency(pred, mask, protocol) | curves(counts(pred, mask), protocol)
    slack = 1 / (mask.size - 1)
    for name, value in values.items():
        assert np.isfinite(value).all(), name
        low, high = METRICS[name].bounds if name in METRICS else (-1, 1)
        assert value.min() >= low, name
        assert value.max() <= high + (slack if name.startswith("em") else 1e-12), name


def test_perfect_map():
    mask = np.zeros((40, 48), np.uint8)
    mask[8:24, 12:36] = 255
    values = {name: value[0] for name, value in saliency(mask, mask).items()}
    assert values["mae"] == 0
    assert values["sm"] == pytest.approx(1)
    assert values["wfm"] == pytest.approx(1)
    assert values["fm_max"] == values["iou_bin"] == values["kappa_bin"] == 1
    assert values["ber_bin"] == 0
    assert values["em_max"] == pytest.approx(1920 / 1919)  # by its definition
    assert values["em_mean"] < 1  # the lowest threshold marks everything


def test_black_map_of_a_black_mask():
    values = {name: value[0] for name, value in saliency(BLACK, BLACK).items()}
    assert values["em_adp"] == values["wfm"] == values["fm_max"] == values["iou_bin"] == 0
    assert values["sm"] == 1
    assert values["ber_bin"] == 0.5


def test_the_protocols_differ_where_the_stretch_hides_damage():
    mask = np.zeros((16, 16), np.uint8)
    mask[4:12, 4:12] = 255
    faint = mask // 20
    assert iou(faint, mask, protocol="benchmark") == 1
    assert iou(faint, mask, protocol="raw") == 0


def test_object_in_the_last_row_leaves_parts_empty():
    mask = np.zeros((8, 9), np.uint8)
    mask[7, 3:6] = 255
    assert 0 < sm(mask, mask)[0] <= 1
    assert sm(mask[:, 4:5], mask[:, 4:5])[0] == pytest.approx(1)


@pytest.mark.parametrize("level", range(0, 256, 5))
def test_a_constant_part_is_recognised_at_every_level(level):
    """A part with one level and no foreground scores 1; with rounding noise for a variance it would score 0."""
    mask = np.zeros((10, 10), np.uint8)
    mask[0:4, 0:4] = 255
    values = [sm(np.full_like(mask, k), mask, "raw")[0] for k in (level, min(level + 1, 255))]
    assert abs(values[0] - values[1]) < 0.01


def test_images_too_large_for_64_bit_products():
    """Counts scaled up stand for an image of many more pixels: only the sample size changes."""
    small = counts(*blobs(1, (40, 50)))
    huge = from_counts(small * 1_000_000)  # 2e9 pixels
    medium = from_counts(small * 1_000)
    for name, value in huge.items():
        np.testing.assert_allclose(value, medium[name], atol=1e-5, err_msg=name)
    assert huge["sm"][0] != 0


def test_masks_without_foreground_are_named():
    found = counts([BLACK, BLACK, WHITE], [BLACK, WHITE, BLACK + 128])
    np.testing.assert_array_equal(without_foreground(found), [True, False, True])


def test_summary_takes_the_maximum_of_the_mean_curve():
    preds, masks = mixed(5)
    found = counts(preds, masks)
    result = summary(found, wfm(preds, masks))
    mean_curve = curves(found)["fm_curve"].mean(axis=0)
    assert result.values["fm_max"] == mean_curve.max() < from_counts(found)["fm_max"].mean()
    assert result.values["wfm"] == wfm(preds, masks).mean()
    assert result.values["iou_bin"] == iou(preds, masks).mean()
    assert set(result.values) == set(saliency(preds, masks))
    assert "wfm" not in summary(found).values


def test_pooled_values_weigh_images_by_their_pixels():
    small, large = np.full((2, 2), 255, np.uint8), np.full((4, 4), 255, np.uint8)
    result = summary(counts([small, np.zeros_like(large)], [small, large]))
    assert result.values["recall_bin"] == 0.5
    assert result.pooled["recall_bin"] == 4 / 20


def test_noise_scores_near_chance():
    pred, mask = noise(0, (200, 200))
    values = saliency(pred, mask, wfm=False)
    assert abs(values["kappa_bin"][0]) < 0.02
    assert values["ber_bin"][0] == pytest.approx(0.5, abs=0.02)
