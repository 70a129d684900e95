"""Equality with the slow definitions on random maps."""

import numpy as np
import pytest
from metrics_pairs import blobs, noise, sparse
from metrics_reference import reference

from rgbdsod.metrics import counts, curves, saliency

CASES = {
    **{f"blobs {size}": (blobs, size) for size in [(31, 23), (12, 40), (25, 25)]},
    **{f"noise {size}": (noise, size) for size in [(11, 14), (1, 9), (8, 1), (2, 2), (1, 1)]},
    "sparse": (sparse, (40, 50)),
    "two levels": (lambda seed, size: noise(seed, size, levels=2), (10, 11)),
    "one level": (lambda seed, size: noise(seed, size, levels=1), (7, 6)),
}


@pytest.mark.parametrize("protocol", ["benchmark", "raw"])
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("seed", [0, 1])
def test_random_maps(case, seed, protocol):
    make, size = CASES[case]
    pred, mask = make(seed, size)
    found = saliency(pred, mask, protocol) | curves(counts(pred, mask), protocol)
    expected = reference(pred, mask, protocol)
    assert set(found) == set(expected)
    for name, value in found.items():
        scale = max(1.0, np.abs(expected[name]).max())  # one pixel alone divides the E-measure by 2 ** -52
        np.testing.assert_allclose(value[0], expected[name], rtol=0, atol=1e-12 * scale, err_msg=name)


@pytest.mark.parametrize("protocol", ["benchmark", "raw"])
def test_every_level_pair_falls_into_the_right_bin(protocol):
    """Rounding of the stretch decides the bin of some levels: all 256 levels between all kinds of extremes."""
    mask = np.tile(np.array([0, 255], np.uint8), 128)[None]
    for low, high in [(0, 255), (1, 254), (17, 201), (100, 140), (254, 255), (0, 3)]:
        pred = np.linspace(low, high, 256).round().astype(np.uint8)[None]
        value = pred / 255
        if protocol == "benchmark":
            value = (value - value.min()) / (value.max() - value.min())
        bins = np.floor(255 * value)
        hits = [((bins >= 255 - i) & (mask > 128)).sum() for i in range(256)]
        found = curves(counts(pred, mask), protocol)["recall_curve"][0]
        np.testing.assert_array_equal(found, np.array(hits) / 128)
