"""One measure at a time, for those who want a number and not a table."""

from rgbdsod.errors import UsageError
from rgbdsod.metrics.arrays import FloatArray
from rgbdsod.metrics.inputs import Maps
from rgbdsod.metrics.maps import saliency


def mae(preds: Maps, masks: Maps, protocol: str = "benchmark") -> FloatArray:
    """Mean absolute error of each image, (N,); arguments as for `saliency`."""
    return _only("mae", preds, masks, protocol)


def sm(preds: Maps, masks: Maps, protocol: str = "benchmark") -> FloatArray:
    """S-measure of each image, (N,); arguments as for `saliency`."""
    return _only("sm", preds, masks, protocol)


def em(preds: Maps, masks: Maps, kind: str = "max", protocol: str = "benchmark") -> FloatArray:
    """E-measure of each image, (N,); kind "adp", "mean" or "max", other arguments as for `saliency`."""
    return _only(f"em_{kind}", preds, masks, protocol)


def fm(preds: Maps, masks: Maps, kind: str = "max", protocol: str = "benchmark") -> FloatArray:
    """F-measure of each image, (N,); kind "adp", "bin", "mean" or "max", other arguments as for `saliency`."""
    return _only(f"fm_{kind}", preds, masks, protocol)


def iou(preds: Maps, masks: Maps, kind: str = "bin", protocol: str = "benchmark") -> FloatArray:
    """Intersection over union of each image, (N,); kind as for `fm`, other arguments as for `saliency`."""
    return _only(f"iou_{kind}", preds, masks, protocol)


def ber(preds: Maps, masks: Maps, kind: str = "bin", protocol: str = "benchmark") -> FloatArray:
    """Balanced error rate of each image, (N,); kind as for `fm`, other arguments as for `saliency`."""
    return _only(f"ber_{kind}", preds, masks, protocol)


def _only(name: str, preds: Maps, masks: Maps, protocol: str) -> FloatArray:
    values = saliency(preds, masks, protocol, wfm=False)
    if name not in values:
        raise UsageError(f'no measure "{name}"; kinds are "adp", "bin" (not of em), "mean", "max"')
    return values[name]
