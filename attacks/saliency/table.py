"""Rows of the attacks made for saliency. Imports no torch."""

from rgbdsod.attacks.rows import AttackRow

_HERE = "rgbdsod.attacks.saliency"
_AGAINST = {"against": "prediction, truth"}

ROWS: list[AttackRow] = [
    AttackRow(
        "rosa",
        f"{_HERE}.rosa:rosa",
        "turns every pixel that still shows its first label, by steps proportional to the gradient",
        "Li et al., ROSA: robust salient object detection against adversarial attacks, 2019",
        "1905.03434",
        "(T+1) forwards, T backwards",
        ranges=_AGAINST,
    ),
    AttackRow(
        "multilayer",
        f"{_HERE}.multilayer:multilayer",
        "draws the pixels not yet turned to their other label, and inner layers to what a guide image gives them",
        "Gupta and Rahtu, MLAttack: fooling semantic segmentation networks by multi-layer attacks, 2019",
        "",
        "(T+2) forwards, T backwards",
        outputs="maps",
        ranges={
            **_AGAINST,
            "layers": "auto, or names with commas between",
            "weight": "0 or more",
            "guide": "an image for each attacked input, from Python; none: the sample's negative",
        },
    ),
]
