"""Pictures from arrays: what a pixel of a panel means."""

import base64

import cv2
import numpy as np
import pytest

from rgbdsod.report import panels
from rgbdsod.report.encode import data_uri


def test_no_change_is_mid_grey() -> None:
    image = np.random.default_rng(0).random((5, 7, 3))
    assert (panels.difference(image, image) == 128).all()


@pytest.mark.parametrize(
    ("change", "level"), [(8 / 255, 255), (-8 / 255, 0), (4 / 255, 192), (-1 / 255, 112), (0.5, 255)]
)
def test_difference_is_signed_and_scaled_by_the_gain(change: float, level: int) -> None:
    clean = np.full((2, 3), 0.5)
    assert (panels.difference(clean + change, clean, 16.0) == level).all()


def test_gain_is_a_parameter() -> None:
    clean = np.zeros((1, 1))
    assert panels.difference(clean + 10 / 255, clean, 4.0)[0, 0] == 128 + 40


def test_cut_share_counts_what_the_gain_cannot_show() -> None:
    clean = np.zeros((2, 2))
    adversarial = np.array([[0.0, 7 / 255], [8 / 255, 9 / 255]])
    assert panels.cut_share(adversarial, clean, 16.0) == 0.25


def test_depth_is_brighter_when_nearer_and_not_stretched() -> None:
    ramp = np.linspace(0.4, 0.6, 32)[None]
    light = panels.depth_colours(ramp).astype(float) @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(light[0]) >= 0).all()
    ends = panels.depth_colours(np.array([[0.0, 1.0]]))
    assert light[0, 0] > ends[0, 0].mean() + 20  # 0.4 is not drawn as the darkest
    assert light[0, -1] < ends[0, 1].mean() - 20


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_unit_uses_the_full_range_of_the_type(dtype: type) -> None:
    top = np.iinfo(dtype).max
    assert panels.unit(np.array([[0, top]], dtype=dtype)).tolist() == [[0.0, 1.0]]


def test_reduce_keeps_small_images_and_the_shape_of_large_ones() -> None:
    small = np.zeros((30, 40, 3), np.uint8)
    assert panels.reduce(small, 40) is small
    assert panels.reduce(np.zeros((300, 400), np.uint8), 100).shape == (75, 100)


def test_reducing_noise_keeps_its_contrast_when_asked() -> None:
    noise = np.random.default_rng(0).choice([0, 255], (256, 256)).astype(np.uint8)
    assert panels.reduce(noise, 64).std() < 50
    assert panels.reduce(noise, 64, keep_contrast=True).std() > 120


def _decode(uri: str) -> np.ndarray:
    head, _, body = uri.partition(",")
    assert head in ("data:image/png;base64", "data:image/jpeg;base64")
    return cv2.imdecode(np.frombuffer(base64.b64decode(body), np.uint8), cv2.IMREAD_UNCHANGED)


def test_small_pictures_are_embedded_pixel_by_pixel() -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 30, 3)).astype(np.uint8)
    assert (_decode(data_uri(image, "photo", 512))[..., ::-1] == image).all()


def test_maps_stay_lossless_and_photographs_become_small() -> None:
    image = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (300, 400)).astype(np.uint8), (0, 0), 3)
    assert (_decode(data_uri(image, "map", 512)) == image).all()
    photo = data_uri(np.repeat(image[..., None], 3, 2), "photo", 512)
    assert photo.startswith("data:image/jpeg")
    assert np.abs(_decode(photo)[..., 0].astype(int) - image).mean() < 4
