"""Objectives on maps that look at whole regions: overlap, absolute error and structure. They take soft references."""

import torch
from torch import Tensor

from rgbdsod.attacks.pixels import Pixels

_TINY = 1e-12


def soft_iou(pixels: Pixels) -> Tensor:
    """One minus the intersection over union of probabilities, one pixel added to both."""
    p, g = pixels.probability, pixels.reference.soft
    both = p * g
    return 1 - (pixels.total(both) + 1) / (pixels.total(p + g - both) + 1)


def soft_f(pixels: Pixels, beta2: float = 0.3) -> Tensor:
    """One minus the F-measure of probabilities; `beta2` below 1 favours precision."""
    p, g = pixels.probability, pixels.reference.soft
    hit = pixels.total(p * g)
    return 1 - (1 + beta2) * hit / (beta2 * pixels.total(g) + pixels.total(p)).clamp_min(_TINY)


def mae(pixels: Pixels) -> Tensor:
    """Mean absolute difference of the probabilities."""
    return pixels.mean((pixels.probability - pixels.reference.soft).abs())


def rank(pixels: Pixels) -> Tensor:
    """The background's mean logit minus the object's, over the spread of both: a smooth stand-in for minus the AUC.

    Blind to a shift and a positive scaling of the logits. A side that the reference has not counts as a logit of 0.
    """
    means, variances = [], []
    for side in (~pixels.reference.positive, pixels.reference.positive):
        weight = side.to(pixels.logits)
        count = pixels.total(weight).clamp_min(1)
        mean = pixels.total(weight * pixels.logits) / count
        off = weight * (pixels.logits - mean.view(-1, 1, 1, 1))
        means.append(mean)
        variances.append(pixels.total(off.square()) / count)
    return (means[0] - means[1]) / (variances[0] + variances[1]).clamp_min(_TINY).sqrt()


def alignment(pixels: Pixels) -> Tensor:
    """Minus the E-measure of the soft map: how pixels deviate from their mean, beside how the binary reference does.

    Source: Fan et al., "Enhanced-alignment Measure for Binary Foreground Map Evaluation", arXiv 1805.10421, equations
    2 to 5.
    """
    p, g = pixels.probability, pixels.reference.positive.to(pixels.logits)
    mean_p, mean_g = pixels.mean(p), pixels.mean(g)
    off_p, off_g = p - mean_p.view(-1, 1, 1, 1), g - mean_g.view(-1, 1, 1, 1)
    agreement = 2 * off_p * off_g / (off_p.square() + off_g.square()).clamp_min(_TINY)
    score = pixels.mean((1 + agreement).square()) / 4
    return -torch.where(mean_g == 0, 1 - mean_p, torch.where(mean_g == 1, mean_p, score))


def structure(pixels: Pixels) -> Tensor:
    """Minus the S-measure of the soft map: half object similarity, half regional similarity.

    Invalid pixels count as predicted right, since the regions must stay rectangles.

    Source: Fan et al., "Structure-measure: a new way to evaluate foreground maps", arXiv 1708.00786, equations 5 and 7.
    """
    p, g = pixels.probability, pixels.reference.positive.to(pixels.logits)
    if pixels.valid is not None:
        p = torch.where(pixels.valid > 0, p, g)
    share = g.flatten(1).mean(1)
    similarity = (_object_similarity(p, g, share) + _region_similarity(p[:, 0], g[:, 0])) / 2
    empty, full = 1 - p.flatten(1).mean(1), p.flatten(1).mean(1)
    return -torch.where(share == 0, empty, torch.where(share == 1, full, similarity))


def _object_similarity(p: Tensor, g: Tensor, share: Tensor) -> Tensor:
    """How bright and even the object is, and how dark and even the background, weighted by their areas."""

    def evenness(values: Tensor, side: Tensor) -> Tensor:
        count = side.sum(1)
        mean = (values * side).sum(1) / count.clamp_min(1)
        variance = ((values - mean[:, None]).square() * side).sum(1) / (count - 1).clamp_min(1)
        return 2 * mean / (mean.square() + 1 + variance.clamp_min(_TINY).sqrt())

    p, g = p.flatten(1), g.flatten(1)
    return share * evenness(p, g) + (1 - share) * evenness(1 - p, 1 - g)


def _region_similarity(p: Tensor, g: Tensor) -> Tensor:
    """Similarity of the four parts around the object's centroid, weighted by area; p and g are (B,H,W)."""
    rows, columns = _halves(g.sum(2)), _halves(g.sum(1))  # (B,2,H), (B,2,W)
    area = rows.sum(2)[:, :, None] * columns.sum(2)[:, None]  # (B,2,2)

    def sums(values: Tensor) -> Tensor:
        return rows @ values @ columns.transpose(1, 2)

    def centred(values: Tensor, mean: Tensor) -> Tensor:
        return values - rows.transpose(1, 2) @ mean @ columns

    mean_p, mean_g = sums(p) / area.clamp_min(1), sums(g) / area.clamp_min(1)
    off_p, off_g = centred(p, mean_p), centred(g, mean_g)
    spread = (area - 1).clamp_min(1)
    variances = (sums(off_p.square()) + sums(off_g.square())) / spread
    top = 4 * mean_p * mean_g * sums(off_p * off_g) / spread
    bottom = (mean_p.square() + mean_g.square()) * variances
    score = torch.where(bottom <= _TINY, torch.ones_like(top), top / bottom.clamp_min(_TINY))
    return (score * area).flatten(1).sum(1) / area.flatten(1).sum(1)


def _halves(profile: Tensor) -> Tensor:
    """Which places of an axis lie up to the centroid and which behind it, (B,2,N) of 0 and 1.

    Args:
        profile: the object's mass along the axis, (B,N).
    """
    place = torch.arange(profile.shape[1], device=profile.device, dtype=profile.dtype)
    centroid = ((profile * place).sum(1, keepdim=True) / profile.sum(1, keepdim=True).clamp_min(_TINY)).round()
    before = (place <= centroid).to(profile)
    return torch.stack([before, 1 - before], dim=1)
