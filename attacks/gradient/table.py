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
_SEGPGD = AttackRow(
    "segpgd",
    f"{_HERE}.segpgd:segpgd",
    "pgd on the pixels still to turn first, on all pixels at the end",
    "Gu et al., SegPGD: an effective and efficient adversarial attack on segmentation, 2022",
    "2207.12391",
    "R(T+1) forwards, R T backwards",
    outputs="maps",
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
        ranges={"joint": "true, false", "cooling": "above 0, up to 1"},
    ),
    AttackRow(
        "pgd-adam",
        f"{_HERE}.pgd_adam:pgd_adam",
        "projected steps of Adam from a random start",
        "Madry et al., Towards deep learning models resistant to adversarial attacks, 2017",
        "1706.06083",
        "R(T+1) forwards, R T backwards",
        norms=("linf", "l2"),
    ),
    AttackRow(
        "apgd",
        f"{_HERE}.apgd:apgd",
        "automatic step size: steps halve per sample where the loss stops rising, with a return to the best point",
        "Croce and Hein, Reliable evaluation of adversarial robustness, 2020",
        "2003.01690",
        "R(T+1) forwards, R T backwards",
        norms=("linf", "l2", "l1"),
        ranges={
            "rho": "above 0, up to 1",
            "momentum": "above 0, up to 1",
            "anneal": "true, false",
            "objective": "a name of `list objectives`; none: the problem's own",
        },
    ),
    _SEGPGD,
    replace(
        _SEGPGD,
        name="cospgd",
        function=f"{_HERE}.cospgd:cospgd",
        summary="pgd with each pixel weighed by how well its prediction still fits the truth",
        paper="Agnihotri et al., CosPGD: an efficient white-box adversarial attack for pixel-wise prediction, 2023",
        arxiv="2302.02213",
    ),
]
