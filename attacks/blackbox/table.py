"""Rows of the black-box attacks. Imports no torch."""

from rgbdsod.attacks.rows import AttackRow

_HERE = "rgbdsod.attacks.blackbox"
_SHARE = "above 0, up to 1"
_SCORE = "gap, objective"

ROWS: list[AttackRow] = [
    AttackRow(
        "square",
        f"{_HERE}.square:square",
        "random windows at the edge of the budget, each kept where the score rises",
        "Andriushchenko et al., Square attack: a query-efficient black-box adversarial attack via random search, 2019",
        "1912.00049",
        "at most Q forwards (default 1000; 5000 in AutoAttack, 10 000 in the paper)",
        knowledge="score",
        norms=("linf", "l2"),
        ranges={"share": _SHARE, "score": _SCORE, "windows": "same, alternate"},
    ),
    AttackRow(
        "sparse-rs",
        f"{_HERE}.sparse_rs:sparse_rs",
        "random pixels at the corners of the colour cube, which change places where the score rises",
        "Croce et al., Sparse-RS: a versatile framework for query-efficient sparse black-box adversarial attacks, 2020",
        "2006.12834",
        "at most Q forwards (default 1000; 10 000 in the paper)",
        knowledge="score",
        norms=("l0",),
        ranges={"share": _SHARE, "score": _SCORE},
    ),
]
