"""Sizes of perturbations."""

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from rgbdsod.metrics import METRICS, perturbation


def images(seed, shape):
    rng = np.random.default_rng(seed)
    clean = rng.uniform(0.2, 0.8, shape)
    return clean, clean + rng.uniform(-0.1, 0.1, shape)


def test_a_change_by_hand():
    clean = np.full((2, 3, 12, 13), 0.5)
    attacked = clean.copy()
    attacked[0, :, 2, 3] += (0.3, -0.4, 0)
    attacked[0, 1, 5, 5] += 0.5
    found = perturbation({"rgb": attacked}, {"rgb": clean})["rgb"]
    np.testing.assert_array_equal(found["l0"], [2, 0])
    np.testing.assert_array_equal(found["l0_values"], [3, 0])
    np.testing.assert_allclose(found["l1"], [1.2, 0])
    np.testing.assert_allclose(found["l2"], [np.sqrt(0.5), 0])
    np.testing.assert_allclose(found["linf"], [0.5, 0])
    np.testing.assert_allclose(found["psnr"], [10 * np.log10(3 * 12 * 13 / 0.5), np.inf])
    assert found["ssim"][0] < found["ssim"][1] == 1


@pytest.mark.parametrize("channels", [1, 3])
def test_psnr_and_ssim_are_scikit_images(channels):
    clean, attacked = images(0, (2, channels, 24, 30))
    found = perturbation({"depth": attacked}, {"depth": clean})["depth"]
    for i in range(2):
        assert found["psnr"][i] == pytest.approx(peak_signal_noise_ratio(clean[i], attacked[i], data_range=1))
        window = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
        by_channel = [
            structural_similarity(x, y, data_range=1, **window) for x, y in zip(clean[i], attacked[i], strict=True)
        ]
        assert found["ssim"][i] == pytest.approx(np.mean(by_channel))


@pytest.mark.parametrize("size", [(1, 1), (2, 5), (8, 8), (10, 40), (11, 11)])
def test_small_images_have_an_ssim(size):
    clean, attacked = images(1, (1, 3, *size))
    assert -1 <= perturbation({"rgb": attacked}, {"rgb": clean})["rgb"]["ssim"][0] < 1


def test_inputs_and_images_are_measured_apart():
    clean, attacked = images(2, (3, 3, 16, 16))
    depth, hit = images(3, (3, 1, 16, 16))
    together = perturbation({"rgb": attacked, "depth": hit}, {"rgb": clean, "depth": depth})
    assert list(together) == ["rgb", "depth"]
    for i in range(3):
        alone = perturbation({"depth": hit[[i]]}, {"depth": depth[[i]]})["depth"]
        for name, value in alone.items():
            assert together["depth"][name][i] == value[0]


def test_tensors_measure_as_arrays():
    clean, attacked = (x.astype(np.float32) for x in images(4, (2, 1, 14, 14)))
    arrays = perturbation({"depth": attacked}, {"depth": clean})["depth"]
    tensors = perturbation({"depth": torch.from_numpy(attacked).requires_grad_()}, {"depth": torch.from_numpy(clean)})
    for name, value in arrays.items():
        assert value.dtype == np.float64
        np.testing.assert_array_equal(tensors["depth"][name], value)


def test_the_table_lists_them():
    clean, attacked = images(5, (1, 1, 12, 12))
    found = perturbation({"depth": attacked}, {"depth": clean})["depth"]
    assert set(found) == {metric.name for metric in METRICS if metric.kind == "perturbation"}
