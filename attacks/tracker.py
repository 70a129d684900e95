"""The best point so far, per sample, without asking the device."""

from dataclasses import replace

import torch
from torch import Tensor

from rgbdsod.attacks.engine import Evaluation
from rgbdsod.types import Callback, Inputs


class Tracker:
    """Keeps each sample's best point and the values of all points that were looked at.

    Args:
        total: how many points will be looked at.
        callback: told after each.
    """

    def __init__(self, total: int = 0, callback: Callback | None = None) -> None:
        self._done, self._total, self._callback = 0, total, callback
        self._points: dict[str, Tensor] = {}
        self._best: Evaluation | None = None
        self._trace: list[list[Tensor]] = []

    def begin(self) -> None:
        """A new restart."""
        self._trace.append([])

    def note(self, evaluation: Evaluation) -> None:
        """Write a value into the trace, and report that a look is done."""
        self._trace[-1].append(evaluation.value)
        self._done += 1
        if self._callback is not None:
            self._callback(self._done, self._total)

    def offer(self, points: Inputs, evaluation: Evaluation) -> None:
        """Keep these points where they are better than the best so far."""
        if self._best is None:
            self._take(points, evaluation)
            return
        better = evaluation.value > self._best.value
        agreed = _agreed(better)
        if agreed is None:
            self._mix(points, evaluation, better, self._best)
        elif agreed:
            self._take(points, evaluation)

    def adopt(self, points: Inputs) -> None:
        """Take points that nobody has looked at: their values are NaN."""
        first = self._trace[0][0]
        self._points = dict(points)
        self._best = Evaluation(torch.full_like(first, torch.nan), lambda: torch.zeros_like(first, dtype=torch.bool))

    def best(self) -> tuple[dict[str, Tensor], Evaluation]:
        """The best points and what is known of them.

        Raises:
            LookupError: no points were offered.
        """
        if self._best is None:
            raise LookupError("no points were offered")
        return dict(self._points), self._best

    def trace(self) -> Tensor:
        """All values, (restarts, points, B)."""
        return torch.stack([torch.stack(values) for values in self._trace])

    def _take(self, points: Inputs, evaluation: Evaluation) -> None:
        """All of these points, without their gradients."""
        self._points, self._best = dict(points), replace(evaluation, gradients={})

    def _mix(self, points: Inputs, evaluation: Evaluation, better: Tensor, best: Evaluation) -> None:
        """These points for the samples that are better with them."""
        for name, point in points.items():
            wide = better.view(-1, *[1] * (point.ndim - 1))
            self._points[name] = torch.where(wide, point, self._points[name])
        fooled = torch.where(better, evaluation.judge(), best.judge())
        self._best = Evaluation(torch.where(better, evaluation.value, best.value), lambda: fooled)


def _agreed(flags: Tensor) -> bool | None:
    """What all flags say; None where they differ, or where asking would make the loop wait for a GPU."""
    if not flags.is_cpu:
        return None
    raised = int(flags.sum())
    return None if 0 < raised < len(flags) else raised > 0
