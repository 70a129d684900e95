"""Contrast, soft targets and hard negatives against independently computed numbers; see golden/README-clip.md."""

import numpy as np
import pytest
import torch

from rgbdsod.fusion import FeatureQueue, hard_negatives, itc_loss, queue_itc_loss

T = 0.07


@pytest.fixture(scope="module")
def golden(shared):
    with np.load(shared / "golden" / "clip_losses.npz") as file:
        return {name: torch.from_numpy(file[name]).double() for name in file.files if "itc" in name or "IT" in name}


def test_contrast(golden):
    loss, _ = itc_loss(golden["in.itc_image"], golden["in.itc_text"], T)
    assert loss.dtype == torch.float64
    torch.testing.assert_close(loss, golden["out.ITC.plain"], rtol=1e-6, atol=0)


def test_contrast_with_soft_targets_and_a_queue(golden):
    queue, ids = FeatureQueue(8, 32).double(), torch.arange(6)
    queue.push(
        *(torch.nn.functional.normalize(golden[f"in.itc_queue_{side}"]) for side in ("image", "text")),
        10 + torch.arange(8),
    )
    own, keys = ([golden[f"in.itc_{side}{slow}"] for side in ("image", "text")] for slow in ("", "_m"))
    loss, _ = queue_itc_loss(*own, *keys, queue, T, ids, distill=0.4)
    torch.testing.assert_close(loss, golden["out.ITC.momentum"], rtol=1e-6, atol=0)


@pytest.mark.parametrize("side", ["text", "image"])
def test_hard_negatives_are_drawn_as_often_as_they_are_similar(golden, side):
    image, text = (torch.nn.functional.normalize(golden[f"in.itc_{name}"]) for name in ("image", "text"))
    logits = image @ text.T / T if side == "text" else text @ image.T / T
    generator, drawn = torch.Generator().manual_seed(0), torch.zeros(6, 6)
    for _ in range(4000):
        index, _ = hard_negatives(logits, None, generator)
        drawn[torch.arange(6), index] += 1
    weights = golden[f"out.ITM.neg_{side}_weights"]
    torch.testing.assert_close(drawn.double() / 4000, weights / weights.sum(1, keepdim=True), rtol=0, atol=0.03)
