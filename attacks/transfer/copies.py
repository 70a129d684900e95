"""Gradients at several points for each sample, as many at once as memory bears."""

from collections.abc import Iterable, Iterator
from itertools import islice

import torch
from torch import Tensor

from rgbdsod.attacks.core import Estimate
from rgbdsod.attacks.engine import Engine

Version = tuple[float, dict[str, Tensor]]
"""A weight, and points by input, (B, ...)."""

_ROWS = 64  # in one pass; more keep no GPU busier
_VALUES = 2**22  # of all inputs in one pass: 32 small pictures of 180 pixels, 8 of 352


class Copies:
    """Sums an estimate's gradients over versions of the points, several versions in the batch of one pass.

    Args:
        estimate: how the gradients at a version are found.
    """

    def __init__(self, estimate: Estimate) -> None:
        self._estimate = estimate
        self._parts: dict[tuple[Engine, int], Engine] = {}

    def total(self, engine: Engine, versions: Iterable[Version], progress: float) -> dict[str, Tensor]:
        """The weighted sum of the gradients at all versions.

        Args:
            engine: of the samples.
            versions: weighted points; made when they are needed.
            progress: of the attack.
        """
        totals: dict[str, Tensor] = {}
        for group in _groups(versions, _at_once(engine)):
            weights, points = zip(*group, strict=True)
            together = {name: torch.cat([version[name] for version in points]) for name in points[0]}
            found = self._estimate(self._part(engine, len(group)), together, progress)
            for name, gradients in found.gradients.items():
                for weight, gradient in zip(weights, gradients.chunk(len(group)), strict=True):
                    totals[name] = totals[name].add_(gradient, alpha=weight) if name in totals else weight * gradient
        return totals

    def _part(self, engine: Engine, count: int) -> Engine:
        """The engine for so many copies of each sample, all samples of one version side by side."""
        if count == 1:
            return engine
        if (engine, count) not in self._parts:
            rows = next(iter(engine.clean.values()))
            self._parts[engine, count] = engine.part(torch.arange(len(rows), device=rows.device).repeat(count))
        return self._parts[engine, count]


def _at_once(engine: Engine) -> int:
    """How many versions of the whole batch fit into one pass."""
    samples = len(next(iter(engine.clean.values())))
    values = sum(value[0].numel() for value in engine.clean.values())
    return max(1, min(_ROWS, _VALUES // values) // samples)


def _groups(versions: Iterable[Version], size: int) -> Iterator[list[Version]]:
    """The versions in lists of at most `size`."""
    rest = iter(versions)
    while group := list(islice(rest, size)):
        yield group
