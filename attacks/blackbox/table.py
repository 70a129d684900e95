"""Rows of the black-box attacks. Imports no torch."""

from rgbdsod.attacks.rows import AttackRow

_HERE = "rgbdsod.attacks.blackbox"
_SHARE = "above 0, up to 1"
_SCORE = "gap, objective"
_DRAWS = "an even number, 2 or more"
_SPREAD = "above 0, in units of the [0, 1] input"

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
    AttackRow(
        "nes",
        f"{_HERE}.nes:nes",
        "projected steps along gradients estimated from scores at normal noise",
        "Ilyas et al., Black-box adversarial attacks with limited queries and information, 2018",
        "1804.08598",
        "at most T(D+1)+1 forwards with D draws for a gradient (default 50, as in the paper)",
        knowledge="score",
        norms=("linf", "l2"),
        ranges={"draws": _DRAWS, "spread": _SPREAD, "score": _SCORE},
    ),
    AttackRow(
        "spsa",
        f"{_HERE}.spsa:spsa",
        "projected steps of Adam along gradients estimated from scores at random signs",
        "Uesato et al., Adversarial risk and the dangers of evaluating against weak attacks, 2018",
        "1802.05666",
        "at most T(D+1)+1 forwards with D draws for a gradient (default 128; up to 8192 in the paper)",
        knowledge="score",
        norms=("linf", "l2"),
        ranges={"draws": _DRAWS, "spread": _SPREAD, "score": _SCORE},
    ),
]
