"""Rows of the transfer attacks. Imports no torch."""

from dataclasses import replace

from rgbdsod.attacks.rows import AttackRow

_HERE = "rgbdsod.attacks.transfer"
_TRANSFER = AttackRow(
    "transfer",
    f"{_HERE}.stack:transfer",
    "look-ahead, shrunk and darker copies, smoothing and variance tuning, stacked as one likes",
    "Wang and He, Enhancing the transferability of adversarial attacks through variance tuning, 2021",
    "2103.15571",
    "M T + 1 forwards, M T backwards for M copies; (N+1) times that with N neighbours",
    ranges={
        "joint": "true, false",
        "lookahead": "true, false",
        "diversity": "0 (off) to 1",
        "smallest": "above 0, up to 1",
        "kernel": "odd, 1 (off) or more; none: by the picture's size",
        "copies": "1 (off) or more",
        "variance_samples": "0 (off) or more",
        "spread": "above 0, in radii",
    },
)
_VMIFGSM = replace(
    _TRANSFER,
    name="vmifgsm",
    function=f"{_HERE}.variance:vmifgsm",
    summary="accumulated gradients, corrected by those of neighbours of the step before",
    passes="T(N+1) - N + 1 forwards, T(N+1) - N backwards for N neighbours",
    ranges={"variance_samples": "1 or more", "spread": "above 0, in radii"},
)

ROWS: list[AttackRow] = [
    AttackRow(
        "nifgsm",
        f"{_HERE}.nifgsm:nifgsm",
        "steps along the accumulated gradient, which is taken where the memory leads",
        "Lin et al., Nesterov accelerated gradient and scale invariance for adversarial attacks, 2019",
        "1908.06281",
        "(T+1) forwards, T backwards",
    ),
    AttackRow(
        "difgsm",
        f"{_HERE}.diversity:difgsm",
        "accumulated gradients at inputs that are shrunk and padded at random",
        "Xie et al., Improving transferability of adversarial examples with input diversity, 2018",
        "1803.06978",
        "(T+1) forwards, T backwards",
        ranges={"diversity": "0 to 1", "smallest": "above 0, up to 1"},
    ),
    AttackRow(
        "tifgsm",
        f"{_HERE}.smoothing:tifgsm",
        "accumulated gradients, each smoothed by a Gaussian",
        "Dong et al., Evading defenses to transferable adversarial examples by translation-invariant attacks, 2019",
        "1904.02884",
        "(T+1) forwards, T backwards",
        ranges={"kernel": "odd, 1 or more; none: by the picture's size"},
    ),
    AttackRow(
        "sifgsm",
        f"{_HERE}.scaling:sifgsm",
        "accumulated gradients, means over darker copies of the point where the memory leads",
        "Lin et al., Nesterov accelerated gradient and scale invariance for adversarial attacks, 2019",
        "1908.06281",
        "M T + 1 forwards, M T backwards for M copies",
        ranges={"copies": "1 or more"},
    ),
    _VMIFGSM,
    replace(
        _VMIFGSM,
        name="vnifgsm",
        function=f"{_HERE}.variance:vnifgsm",
        summary="the same with gradients of the point where the memory leads",
    ),
    _TRANSFER,
]
