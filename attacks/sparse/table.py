"""Rows of the sparse attacks. Imports no torch."""

from rgbdsod.attacks.rows import AttackRow

_HERE = "rgbdsod.attacks.sparse"
_PAPER, _ARXIV = "Papernot et al., The limitations of deep learning in adversarial settings, 2015", "1511.07528"

ROWS = [
    AttackRow(
        "jsma",
        f"{_HERE}.jsma:jsma",
        "two values at a time, chosen by a saliency map of the scores",
        _PAPER,
        _ARXIV,
        "T+2 forwards, 2T backwards; T at most half the values that may change",
        norms=("l0",),
        aim="nearest",
        outputs="classes",
        ranges={
            "theta": "-1 to 1, not 0",
            "share": "above 0, up to 1",
            "candidates": "2 or more",
        },
    ),
    AttackRow(
        "jsma-dense",
        f"{_HERE}.dense:dense_jsma",
        "pixels of the input that remove or paint a region of the map",
        _PAPER,
        _ARXIV,
        "T+2 forwards, 1 or 2 T backwards",
        norms=("l0",),
        aim="nearest",
        ranges={"theta": "above 0, up to 1", "per_step": "above 0, up to 1", "share": "above 0, up to 1"},
    ),
]
