"""Every saliency measure pixel by pixel, straight from its definition: slow, and sharing no code with the package."""

from fractions import Fraction

import numpy as np
from scipy.ndimage import convolve, distance_transform_edt

EPS = 2.0**-52


def reference(pred, mask, protocol):
    """All measures and curves of one map and its mask, by name."""
    levels = pred.astype(int)
    low, high = int(levels.min()), int(levels.max())
    stretched = protocol == "benchmark" and high > low
    offset, span = (low, high - low) if stretched else (0, 255)
    value = pred / 255
    if stretched:
        value = (value - value.min()) / (value.max() - value.min())
    truth = mask > 128

    results = {
        "mae": np.abs(value - truth).mean(),
        "sm": s_measure(value, truth),
        "wfm": weighted_f(value, truth),
    }
    mean = Fraction(int((levels - offset).sum()), levels.size)
    bar = min(2 * mean, Fraction(span))
    whole_bins = np.floor(255 * value)
    binary_maps = {"adp": np.array([[k - offset >= bar for k in row] for row in levels.tolist()]), "bin": value > 0.5}
    binary_maps |= {255 - i: whole_bins >= 255 - i for i in range(256)}
    table = {kind: binary_measures(binary, truth) for kind, binary in binary_maps.items()}
    for name in table["adp"]:
        curve = np.array([table[255 - i][name] for i in range(256)])
        results |= {f"{name}_curve": curve, f"{name}_mean": curve.mean(), f"{name}_max": curve.max()}
        results |= {f"{name}_adp": table["adp"][name], f"{name}_bin": table["bin"][name]}
    del results["em_bin"]
    return results


def divide(a, b):
    return float(a) / float(b) if b else 0.0


def binary_measures(binary, truth):
    n = truth.size
    tp, fp = int((binary & truth).sum()), int((binary & ~truth).sum())
    fn, tn = int((~binary & truth).sum()), int((~binary & ~truth).sum())
    p, r, s = divide(tp, tp + fp), divide(tp, tp + fn), divide(tn, tn + fp)
    chance = ((tp + fp) * (tp + fn) + (tn + fn) * (tn + tp)) / n**2
    return {
        "em": e_measure(binary, truth),
        "fm": divide((0.3 + 1) * p * r, 0.3 * p + r),
        "precision": p,
        "recall": r,
        "iou": divide(tp, tp + fp + fn),
        "dice": divide(2 * tp, 2 * tp + fp + fn),
        "ber": 1 - (r + s) / 2,
        "specificity": s,
        "fpr": divide(fp, tn + fp),
        "oa": (tp + tn) / n,
        "kappa": divide((tp + tn) / n - chance, 1 - chance),
    }


def e_measure(binary, truth):
    n = truth.size
    if not truth.any():
        total = (~binary).sum()
    elif truth.all():
        total = binary.sum()
    else:
        a, c = binary - binary.mean(), truth - truth.mean()
        total = (((2 * a * c / (a**2 + c**2 + EPS)) + 1) ** 2 / 4).sum()
    return total / (n - 1 + EPS)


def s_measure(value, truth):
    if not truth.any():
        return 1 - value.mean()
    if truth.all():
        return value.mean()
    share = truth.mean()
    alike = share * likeness(value[truth]) + (1 - share) * likeness(1 - value[~truth])
    rows, columns = np.nonzero(truth)
    cy, cx = round(Fraction(int(rows.sum()), rows.size)) + 1, round(Fraction(int(columns.sum()), columns.size)) + 1
    region = 0.0
    for vertical in (slice(0, cy), slice(cy, None)):
        for horizontal in (slice(0, cx), slice(cx, None)):
            part, inside = value[vertical, horizontal], truth[vertical, horizontal]
            if part.size:
                region += structural(part, inside) * part.size / truth.size
    return max(0.0, 0.5 * alike + 0.5 * region)


def likeness(x):
    m, s = x.mean(), x.std(ddof=1) if x.size > 1 and np.ptp(x) > 0 else 0.0
    return 2 * m / (m**2 + 1 + s + EPS)


def structural(v, g):
    dof = v.size - 1 + EPS
    x, y = v.mean(), g.mean()
    flat_v, flat_g = np.ptp(v) == 0, g.all() or not g.any()
    sx = 0.0 if flat_v else ((v - x) ** 2).sum() / dof
    sy = 0.0 if flat_g else ((g - y) ** 2).sum() / dof
    sxy = 0.0 if flat_v or flat_g or uncorrelated(v, g) else ((v - x) * (g - y)).sum() / dof
    num, den = 4 * x * y * sxy, (x**2 + y**2) * (sx + sy)
    if num != 0:
        return num / (den + EPS)
    return 1.0 if den == 0 else 0.0


def uncorrelated(v, g):
    """Equal means on and off the foreground, up to rounding: values are multiples of 1/255 at the finest."""
    return abs(v[g].mean() - v[~g].mean()) < 1e-12


def weighted_f(value, truth):
    if not truth.any():
        return 0.0
    distance, (row, column) = distance_transform_edt(~truth, return_indices=True)
    error = np.abs(value - truth)
    lent = error[row, column]
    y, x = np.mgrid[-3:4, -3:4]
    kernel = np.exp(-(x**2 + y**2) / 50)
    smooth = convolve(lent, kernel / kernel.sum(), mode="constant", cval=0.0)
    least = np.where(truth & (smooth < error), smooth, error)
    weighted = least * np.where(truth, 1, 2 - 0.5 ** (distance / 5))
    hit, false = truth.sum() - weighted[truth].sum(), weighted[~truth].sum()
    recall, precision = 1 - weighted[truth].mean(), hit / (hit + false + EPS)
    return 2 * recall * precision / (recall + precision + EPS)
