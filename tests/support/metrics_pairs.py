"""Pairs of saliency map and mask for tests."""

import cv2
import numpy as np


def blobs(seed, size):
    """A blurred, noisy guess at a random mask of ellipses with grey edges; both uint8 (H, W)."""
    rng = np.random.default_rng(seed)
    height, width = size
    mask = np.zeros(size, np.uint8)
    for _ in range(int(rng.integers(1, 4))):
        centre = int(rng.integers(width)), int(rng.integers(height))
        axes = int(rng.integers(1, width // 3 + 2)), int(rng.integers(1, height // 3 + 2))
        cv2.ellipse(mask, centre, axes, float(rng.uniform(0, 180)), 0, 360, 255, -1, lineType=cv2.LINE_AA)
    guess = cv2.GaussianBlur(mask.astype(np.float64), (0, 0), float(rng.uniform(0.5, 4)))
    noise = cv2.GaussianBlur(rng.normal(size=size), (0, 0), 2.0) * float(rng.uniform(0, 150))
    return np.clip(guess * rng.uniform(0.4, 1.2) + noise, 0, 255).round().astype(np.uint8), mask


def noise(seed, size, levels=256):
    """Unrelated map and mask, each pixel by itself, the map on `levels` levels; both uint8 (H, W)."""
    rng = np.random.default_rng(seed)
    level = np.linspace(0, 255, levels).astype(np.uint8)
    return level[rng.integers(levels, size=size)], rng.integers(256, size=size).astype(np.uint8)


def sparse(seed, size):
    """A few faint pixels and a few of foreground, so that variances are next to nothing; both uint8 (H, W)."""
    pred, mask = np.zeros(size, np.uint8), np.zeros(size, np.uint8)
    places = np.random.default_rng(seed).choice(pred.size, size=6, replace=False)
    pred.flat[places[:4]], mask.flat[places[2:]] = 1, 255
    return pred, mask


def mixed(count, seed=0):
    """Lists of maps and masks of mixed sizes and kinds."""
    sizes = [(24, 31), (17, 17), (40, 12), (9, 33)]
    made = [(blobs if i % 3 else noise)(seed + i, sizes[i % len(sizes)]) for i in range(count)]
    return [pred for pred, _ in made], [mask for _, mask in made]
