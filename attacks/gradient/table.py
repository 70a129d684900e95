"""Rows of the gradient family. Imports no torch."""

from dataclasses import replace

from rgbdsod.attacks.rows import AttackRow

_HERE = "rgbdsod.attacks.gradient"
_IFGSM = AttackRow(
    "ifgsm",
    f"{_HERE}.ifgsm:ifgsm",
    "small signed steps from the clean input",
    "Kurakin et al., Adversarial examples in the physical world, 2016",
    "1607.02533",
    "(T+1) forwards, T backwards",
)

ROWS = [
    AttackRow(
        "fgsm",
        f"{_HERE}.fgsm:fgsm",
        "one step of the full radius along the gradient",
        "Goodfellow et al., Explaining and harnessing adversarial examples, 2014",
        "1412.6572",
        "2 forwards, 1 backward",
    ),
    AttackRow(
        "rfgsm",
        f"{_HERE}.fgsm:rfgsm",
        "a random step, then one gradient step with the rest of the radius",
        "Tramèr et al., Ensemble adversarial training, 2017",
        "1705.07204",
        "2 forwards, 1 backward",
        ranges={"share": "above 0, below 1"},
    ),
    _IFGSM,
    replace(_IFGSM, name="bim", summary="the same as ifgsm"),
    AttackRow(
        "pgd",
        f"{_HERE}.pgd:pgd",
        "steps along the gradient from a random start, each projected; restarts keep the best per sample",
        "Madry et al., Towards deep learning models resistant to adversarial attacks, 2017",
        "1706.06083",
        "R(T+1) forwards, R T backwards",
    ),
    AttackRow(
        "mifgsm",
        f"{_HERE}.mifgsm:mifgsm",
        "steps along the accumulated gradient; transfers better to other models",
        "Dong et al., Boosting adversarial attacks with momentum, 2017",
        "1710.06081",
        "(T+1) forwards, T backwards",
        ranges={"joint": "true, false"},
    ),
]
