"""What is refused, and in which words."""

import re

import numpy as np
import pytest
import torch

from rgbdsod.errors import UsageError
from rgbdsod.metrics import (
    counts,
    fm,
    from_counts,
    paired_change,
    perturbation,
    saliency,
    summary,
    wfm,
    without_foreground,
)

MAP = np.zeros((4, 6), np.uint8)
IMAGE = np.zeros((1, 3, 12, 12))


def refuses(message):
    return pytest.raises(UsageError, match=re.escape(message))


@pytest.mark.parametrize("call", [saliency, counts, wfm])
@pytest.mark.parametrize(
    ("preds", "masks", "message"),
    [
        (MAP / 255, MAP, "map 0 is float64; pass uint8 levels: a float map in [0, 1] is (255 * map).round() as uint8"),
        ([MAP], [torch.zeros(4, 6)], "mask 0 is torch.float32; pass uint8 levels"),
        (MAP, MAP > 0, "mask 0 is bool; pass uint8 levels: 255 where it is true, 0 elsewhere"),
        (MAP.astype(int), MAP, "map 0 is int64; pass uint8"),
        ([MAP, MAP], [MAP, MAP.T], "map 1 is 4x6 but its mask is 6x4 (height x width)"),
        ([MAP, MAP], [MAP], "2 maps but 1 masks; pass one mask for each map, in the same order"),
        ([], [], "no maps were given"),
        ("map.png", MAP, "maps came as str; pass uint8 arrays or tensors"),
        (["map.png"], MAP, "map 0 is a str"),
        ([np.zeros((4, 6, 3), np.uint8)], MAP, "map 0 has shape (4, 6, 3); expected (height, width)"),
        (MAP[0], MAP, "map 0 has shape (6,); expected (height, width)"),
        (MAP[:0], MAP[:0], "map 0 has shape (0, 6); expected (height, width), at least one pixel"),
    ],
)
def test_maps_and_masks(call, preds, masks, message):
    with refuses(message):
        call(preds, masks)


@pytest.mark.parametrize("call", [saliency, wfm])
def test_protocol(call):
    with refuses('no protocol "minmax"; choose "benchmark" (each map stretched to 0..1) or "raw"'):
        call(MAP, MAP, "minmax")


def test_kind():
    with refuses('no measure "fm_mode"'):
        fm(MAP, MAP, kind="mode")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (np.zeros((2, 256), int), "counts are int64 (2, 256); expected integers (N, 2048)"),
        (np.ones((2, 2048)), "counts are float64 (2, 2048); expected integers (N, 2048)"),
        (np.zeros((2, 2048), int), "row 0 of the counts holds no pixel"),
    ],
)
def test_counts(wrong, message):
    for call in (from_counts, summary, without_foreground):
        with refuses(message):
            call(wrong)


def test_summary_of_nothing():
    with refuses("no images to summarise"):
        summary(np.zeros((0, 2048), int))


def test_summary_with_weights_of_other_images():
    with refuses("counts of 1 images but wfm of shape (2,); pass one value per image"):
        summary(counts(MAP, MAP), np.zeros(2))


@pytest.mark.parametrize(
    ("adversarial", "clean", "message"),
    [
        ({"rgb": IMAGE}, {"depth": IMAGE}, "attacked inputs are rgb but clean ones depth; pass the same"),
        ({"rgb": IMAGE}, {"rgb": IMAGE[..., :9]}, 'input "rgb" is (1, 3, 12, 12) attacked but (1, 3, 12, 9) clean'),
        ({"rgb": IMAGE[0]}, {"rgb": IMAGE[0]}, 'input "rgb" has shape (3, 12, 12); expected (N, C, H, W)'),
        ({"rgb": IMAGE + 2}, {"rgb": IMAGE}, 'input "rgb" has values from 2.00 to 2.00; pass images in [0, 1]'),
        ({"rgb": IMAGE * np.nan}, {"rgb": IMAGE}, 'input "rgb" has values from nan to nan'),
        ({"rgb": IMAGE.astype(np.uint8)}, {"rgb": IMAGE}, 'input "rgb" is uint8; pass floats in [0, 1]'),
    ],
)
def test_perturbation(adversarial, clean, message):
    with refuses(message):
        perturbation(adversarial, clean)


@pytest.mark.parametrize(
    ("clean", "attacked", "options", "message"),
    [
        (np.zeros(3), np.zeros(2), {}, "clean values have shape (3,), attacked (2,); pass one of each per image"),
        (np.zeros(0), np.zeros(0), {}, "pass one of each per image"),
        (np.zeros(3), np.zeros(3), {"level": 95}, "level 95"),
        (np.zeros(3), np.zeros(3), {"resamples": 0}, "resamples 0"),
    ],
)
def test_paired_change(clean, attacked, options, message):
    with refuses(message):
        paired_change(clean, attacked, **options)
