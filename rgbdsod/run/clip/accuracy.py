"""From verdicts on images to accuracies with their intervals."""

import math
from typing import NamedTuple

_Z = 1.959963984540054  # of a 95 % interval


class Accuracy(NamedTuple):
    """A share of right answers.

    Attributes:
        value: of all.
        low, high: ends of its 95 % interval.
        right: how many.
        total: of how many.
    """

    value: float
    low: float
    high: float
    right: int
    total: int


def wilson(right: int, total: int) -> Accuracy:
    """A share and Wilson's 95 % interval of it, which is inside [0, 1] and of use for shares of 0 and 1 too.

    Args:
        right: how many are.
        total: of how many, 1 or more.

    Source:
        Wilson, Probable inference, the law of succession, and statistical inference, 1927.
    """
    share, weight = right / total, _Z * _Z / total
    middle = (share + weight / 2) / (1 + weight)
    spread = _Z / (1 + weight) * math.sqrt(share * (1 - share) / total + weight / (4 * total))
    low = 0.0 if right == 0 else max(0.0, middle - spread)
    high = 1.0 if right == total else min(1.0, middle + spread)
    return Accuracy(share, low, high, right, total)
