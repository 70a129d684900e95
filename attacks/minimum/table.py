"""Rows of the minimum-norm attacks. Imports no torch."""

from rgbdsod.attacks.rows import AttackRow

_HERE = "rgbdsod.attacks.minimum"
_PENALTY = {
    "rounds": "1 or more",
    "step_size": "above 0; none: from the estimated distance",
    "weight": "above 0; none: from the first gradient",
    "confidence": "0 or more",
    "change_of_variables": "true, false",
}

ROWS = [
    AttackRow(
        "deepfool",
        f"{_HERE}.deepfool:deepfool",
        "steps to the nearest plane of the linearised model until the sample is fooled",
        "Moosavi-Dezfooli et al., DeepFool, 2015",
        "1511.04599",
        "1 forward and up to 10 backwards per step (maps and scores: 1 backward), 1 forward more to verify",
        norms=("linf", "l2"),
        aim="nearest",
        ranges={"exits": "1 or more"},
    ),
    AttackRow(
        "ddn",
        f"{_HERE}.ddn:ddn",
        "the direction from the gradient, a radius that shrinks while the sample is fooled",
        "Rony et al., Decoupling direction and norm, 2018",
        "1811.09600",
        "(T+1) forwards, 1 more to verify, T backwards",
        norms=("l2",),
        aim="nearest",
        ranges={"start_radius": "above 0", "decay": "above 0, below 1"},
    ),
    AttackRow(
        "cw",
        f"{_HERE}.cw:cw",
        "the squared change plus a weighted gap by Adam, the weight bisected per sample",
        "Carlini and Wagner, Towards evaluating the robustness of neural networks, 2016",
        "1608.04644",
        "at most R T forwards and backwards, 1 forward to verify; samples leave when their R rounds are through",
        norms=("l2",),
        aim="nearest",
        ranges=_PENALTY,
    ),
    AttackRow(
        "ead",
        f"{_HERE}.ead:ead",
        "an elastic net plus a weighted gap by shrinking steps: few values change",
        "Chen et al., EAD: Elastic-net attacks to deep neural networks, 2017",
        "1709.04114",
        "at most R T forwards and backwards, 1 forward to verify; samples leave when their R rounds are through",
        norms=("l1",),
        aim="nearest",
        ranges={**_PENALTY, "l1_weight": "0 or more"},
    ),
    AttackRow(
        "hinge",
        f"{_HERE}.hinge:hinge",
        "the squared change plus a weighted gap by Adam in one run, the weight adapted on the way",
        "after Carlini and Wagner, 2016, and Rony et al., Augmented Lagrangian adversarial attacks, 2020",
        "",
        "T forwards and backwards, 1 forward to verify",
        norms=("l2",),
        aim="nearest",
        ranges={**_PENALTY, "acceptable": "0 or more"},
    ),
    AttackRow(
        "cw-linf",
        f"{_HERE}.cw_linf:cw_linf",
        "Carlini and Wagner's Linf attack: a penalty on what exceeds a limit that falls",
        "Carlini and Wagner, Towards evaluating the robustness of neural networks, 2016",
        "1608.04644",
        "at most R T forwards and backwards, 1 forward to verify; samples leave when their limit is found",
        norms=("linf",),
        aim="nearest",
        ranges=_PENALTY,
    ),
]
