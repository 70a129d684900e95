"""Rows of the black-box attacks. Imports no torch."""

from rgbdsod.attacks.rows import AttackRow

_HERE = "rgbdsod.attacks.blackbox"
_SHARE = "above 0, up to 1"
_START = "values of the attacked inputs that fool; none: uniform noise"
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
    AttackRow(
        "zoo",
        f"{_HERE}.zoo:zoo",
        "coordinate descent on differences of scores, the change of large images on coarser grids",
        "Chen et al., ZOO: zeroth order optimization based black-box attacks to deep neural networks, 2017",
        "1708.03999",
        "at most Q forwards, 1 more to verify (default 10 000; 768 000 for small images in the paper)",
        knowledge="score",
        norms=("l2",),
        aim="nearest",
        ranges={
            "queries": "two for each coordinate and 2 more, or more",
            "coordinates": "1 or more",
            "spread": _SPREAD,
            "weight": "above 0",
            "rounds": "1 or more",
            "solver": "adam, newton",
            "hierarchy": "true, false",
            "importance": "true, false",
            "share": "0 or more for each attacked input",
        },
    ),
    AttackRow(
        "hopskipjump",
        f"{_HERE}.hopskipjump:hopskipjump",
        "along the line between fooled and not, whose direction is felt by decisions alone",
        "Chen et al., HopSkipJumpAttack: a query-efficient decision-based attack, 2019",
        "1904.02144",
        "at most Q forwards, 1 more to verify (default 1000; up to 25 000 in the paper)",
        knowledge="decision",
        norms=("l2", "linf"),
        aim="nearest",
        ranges={"draws": "1 or more", "start": _START},
    ),
    AttackRow(
        "boundary",
        f"{_HERE}.boundary:boundary",
        "a random walk along the line between fooled and not, by decisions alone",
        "Brendel et al., Decision-based adversarial attacks, 2017",
        "1712.04248",
        "at most Q forwards, 1 more to verify (default 1000; 100 000 and more in the paper)",
        knowledge="decision",
        norms=("l2",),
        aim="nearest",
        ranges={"start": _START},
    ),
]
