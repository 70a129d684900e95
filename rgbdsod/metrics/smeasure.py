"""S-measure: similarity of structure, of the object as a whole and part by part."""

import numpy as np

from rgbdsod.metrics.arrays import EPS, FloatArray, ratio
from rgbdsod.metrics.levels import Levels, Moments

ALPHA = 0.5
"""Weight of the object-aware score; the region-aware score has the rest."""


def smeasure(levels: Levels) -> FloatArray:
    """Structure measure of the maps as they are, without a threshold.

    Means and variances come from integer sums, so a part of one level is known to be constant: in floating point its
    variance may be 0 or rounding noise, which moves the score of an empty part between 1 and 0.

    Args:
        levels: the counts of N maps as a protocol reads them.

    Returns:
        (N,), in [0, 1]. A mask without foreground scores 1 - mean value of the map, one without background the mean.

    Source:
        Fan et al., Structure-measure, ICCV 2017, equations 1 to 9; 1708.00786.
    """
    parts = levels.moments
    whole = parts.sum(axis=1)
    pixels = whole.pixels.sum(axis=1)
    share = ratio(whole.pixels[:, 1], pixels)
    mean = ratio(whole.first.sum(axis=1), pixels * levels.span)
    similar = ALPHA * _object(whole, levels) + (1 - ALPHA) * _region(parts, levels)
    return np.where(share == 0, 1 - mean, np.where(share == 1, mean, np.maximum(similar, 0)))


def _object(sides: Moments, levels: Levels) -> FloatArray:
    """Object-aware score: how bright and even the map is on the foreground, how dark and even off it; (N,)."""
    span = levels.span[:, None]
    brightness = ratio(sides.first, sides.pixels * span)
    mean = np.stack([1 - brightness[:, 0], brightness[:, 1]], axis=1)
    deviation = np.sqrt(ratio(sides.spread(), sides.pixels * (sides.pixels - 1))) / span
    score = 2 * mean / (mean**2 + 1 + deviation + EPS)
    weight = ratio(sides.pixels, sides.pixels.sum(axis=1, keepdims=True))
    result: FloatArray = (weight * score).sum(axis=1)
    return result


def _region(parts: Moments, levels: Levels) -> FloatArray:
    """Region-aware score: structural similarity of map and mask in four parts, weighted by area; (N,).

    A part without pixels has no weight.
    """
    span = levels.span[:, None]
    both = parts.sum(axis=2)
    pixels, foreground = both.pixels, parts.pixels[..., 1]
    covariance = pixels * parts.first[..., 1] - both.first * foreground
    mask_spread = pixels * foreground - foreground * foreground
    dof = pixels * (pixels.astype(np.float64) - 1 + EPS)
    mean_map, mean_mask = ratio(both.first, pixels * span), ratio(foreground, pixels)
    joint = 4 * mean_map * mean_mask * ratio(covariance, dof * span)
    apart = (mean_map**2 + mean_mask**2) * (ratio(both.spread(), dof * span**2) + ratio(mask_spread, dof))
    # Whether a term is 0 is asked of the integers.
    no_structure = (both.first == 0) | (foreground == 0) | (covariance == 0)
    no_contrast = ((both.first == 0) & (foreground == 0)) | ((both.spread() == 0) & (mask_spread == 0))
    score = np.where(no_structure, no_contrast.astype(np.float64), joint / (apart + EPS))
    weight = ratio(pixels, pixels.sum(axis=1, keepdims=True))
    result: FloatArray = (weight * score).sum(axis=1)
    return result
