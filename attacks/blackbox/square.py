"""Random squares, each kept where the score rises: the Square attack."""

from collections.abc import Mapping
from typing import Literal, Unpack

from torch import Tensor

from rgbdsod.attacks.blackbox import bumps, squares
from rgbdsod.attacks.blackbox.random_search import RandomSearch, check_images
from rgbdsod.attacks.budget import Threat
from rgbdsod.attacks.core import Walking, perturb
from rgbdsod.attacks.door import check_norms
from rgbdsod.attacks.norms import Ball, Linf
from rgbdsod.attacks.probes import Score
from rgbdsod.attacks.problem import Problem
from rgbdsod.attacks.randomness import Streams
from rgbdsod.attacks.result import Result
from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs

Windows = Literal["same", "alternate"]


def square(
    problem: Problem,
    inputs: Inputs,
    threat: Threat,
    *,
    queries: int = 1000,
    share: float = 0.8,
    score: Score = "gap",
    windows: Windows = "same",
    **common: Unpack[Walking],
) -> Result:
    """Random windows that go to the edge of the budget, each kept where the score rises. It sees scores only.

    Linf: stripes, then squares of one sign per channel. L2: bumps, into which the mass of other windows is moved.

    Args:
        problem: what is attacked.
        inputs: all inputs (B,C,H,W) in [0, 1].
        threat: budgets by input: Linf or L2.
        queries: most forward passes per sample; 5000 in AutoAttack, 10 000 in the paper.
        share: of the image in the first window, above 0, up to 1; AutoAttack's, while the paper has 0.05 (Linf) and 0.1
            (L2) for large images. It halves nine times.
        score: what a window is judged by: "gap", what is missing to success, or the problem's "objective".
        windows: with several attacked inputs: the "same" window in all of them, or "alternate" between them.
        common: see `rgbdsod.attacks.core.Walking`; a sample that is fooled asks no more, unless stop=False.

    Raises:
        UsageError: other norms, no queries, a share out of range, inputs that are no images.

    Source: Andriushchenko et al., "Square Attack: a query-efficient black-box adversarial attack via random search",
    arXiv 1912.00049, algorithms 1 to 3; the setting of AutoAttack: arXiv 2003.01690, section 5.
    """
    check_norms("square", threat, ("linf", "l2"))
    check_images("square", inputs, threat)
    search = _Square(queries, share, score, windows)
    common.setdefault("stop", True)
    return perturb(
        problem,
        inputs,
        threat,
        steps=queries - 1,
        start=_start,
        estimate=search.ask,
        rule=search.begin,
        attack="square",
        knowledge="score",
        **common,
    )


class _Square(RandomSearch):
    """Windows in all inputs."""

    def __init__(self, queries: int, share: float, score: Score, windows: Windows) -> None:
        super().__init__(queries, share, score)
        if windows not in ("same", "alternate"):
            raise UsageError(f'no windows "{windows}"; pass same or alternate')
        self._alternate = windows == "alternate"

    def widths(self) -> dict[str, int]:
        """Two windows of two numbers, and for each input its channels' signs and one choice."""
        return {"windows": 4, **{name: ball.clean.shape[1] + 1 for name, ball in self.balls.items()}}

    def change(self, points: Inputs, share: float, numbers: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """A window in every input, or in one of them."""
        turn = list(points)[self.asked % len(points)]
        return {
            name: _changed(self.balls[name], point, share, numbers["windows"], numbers[name])
            if name == turn or not self._alternate
            else point
            for name, point in points.items()
        }


def _start(ball: Ball, streams: Streams) -> Tensor:
    return squares.stripes(ball, streams) if isinstance(ball, Linf) else bumps.tiles(ball, streams)


def _changed(ball: Ball, point: Tensor, share: float, places: Tensor, numbers: Tensor) -> Tensor:
    if isinstance(ball, Linf):
        return squares.change(ball, point, share, places, numbers)
    return bumps.change(ball, point, share, places, numbers)
