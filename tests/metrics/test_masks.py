"""The cache of masks."""

import numpy as np
import pytest
import torch
from metrics_pairs import blobs, mixed

from rgbdsod.errors import UsageError
from rgbdsod.metrics import MaskCache, counts, saliency, wfm
from rgbdsod.metrics.masks import Weighting


def test_the_cache_changes_no_value():
    preds, masks = mixed(6)
    cache = MaskCache()
    for protocol in ("benchmark", "raw", "benchmark"):
        plain, cached = saliency(preds, masks, protocol), saliency(preds, masks, protocol, cache=cache)
        for name in plain:
            np.testing.assert_array_equal(cached[name], plain[name])
    assert len(cache) == 6


def test_a_mask_is_known_by_content():
    pred, mask = blobs(0, (20, 24))
    cache = MaskCache()
    wfm([pred, 255 - pred], [mask, mask.copy()], cache=cache)
    counts(torch.from_numpy(pred), torch.from_numpy(mask), cache=cache)
    assert len(cache) == 1


def test_equal_bytes_of_another_shape_are_another_mask():
    mask = np.arange(12, dtype=np.uint8) * 20
    cache = MaskCache()
    for shape in ((3, 4), (2, 6), (4, 3)):
        one = mask.reshape(shape)
        np.testing.assert_array_equal(counts(one, one, cache=cache), counts(one, one))
    assert len(cache) == 3


def test_writing_to_a_mask_afterwards_spoils_nothing():
    pred, mask = blobs(1, (16, 16))
    original, cache = mask.copy(), MaskCache()
    counts(pred, mask, cache=cache)  # the weights are still to be computed
    mask[:] = 0
    assert wfm(pred, original, cache=cache) == wfm(pred, original)


def test_weights_are_computed_once(monkeypatch):
    pred, mask = blobs(2, (16, 20))
    made, make = [], Weighting.of
    monkeypatch.setattr(Weighting, "of", lambda mask: made.append(mask) or make(mask))
    cache = MaskCache()
    for scale in (1, 2, 3):
        wfm(pred // scale, mask, cache=cache)
    assert len(made) == 1


def test_the_cache_is_bounded_and_drops_the_longest_unused():
    masks = [np.full((100, 100), level, np.uint8) for level in range(5)]
    cache = MaskCache(megabytes=3 * 10_000 * 16 / 1e6)  # room for three
    for mask in masks[:3]:
        counts(mask, mask, cache=cache)
    counts(masks[0], masks[0], cache=cache)
    counts(masks[3], masks[3], cache=cache)
    assert len(cache) == 3
    assert [key[1][0] for key in cache._masks] == [2, 0, 3]


def test_a_mask_larger_than_the_cache_is_not_kept():
    pred, mask = blobs(4, (50, 60))
    cache = MaskCache(megabytes=0.01)
    assert wfm(pred, mask, cache=cache) == wfm(pred, mask)
    assert len(cache) == 0


def test_a_cache_without_room_is_refused():
    with pytest.raises(UsageError, match="holds nothing"):
        MaskCache(0)
