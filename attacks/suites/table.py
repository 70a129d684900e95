"""Rows of the suites. Imports no torch."""

from rgbdsod.attacks.rows import AttackRow

_HERE = "rgbdsod.attacks.suites"
_PAPER, _ARXIV = "Croce and Hein, Reliable evaluation of adversarial robustness, 2020", "2003.01690"

ROWS = [
    AttackRow(
        "apgd-t",
        f"{_HERE}.apgdt:apgdt",
        "apgd towards each of the strongest other classes in turn",
        _PAPER,
        _ARXIV,
        "at most N(T+2) forwards, N T backwards for N rivals; less as samples are fooled",
        norms=("linf", "l2", "l1"),
        outputs="classes",
        ranges={"rivals": "1 or more"},
    ),
    AttackRow(
        "autoattack",
        f"{_HERE}.autoattack:autoattack",
        "attacks of different kinds, the worst case of each sample; standard, rand, and for maps saliency and sea",
        _PAPER,
        _ARXIV,
        "the sum of its attacks, on what still stands (maps: on all), and one forward for each",
        norms=("linf", "l2", "l1"),
        ranges={"version": "auto, standard, rand, saliency, sea", "queries": "1 or more; none: the version's own"},
    ),
]
