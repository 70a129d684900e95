"""The best point so far, per sample, without asking the device."""

from dataclasses import replace

import torch
from torch import Tensor

from rgbdsod.attacks.evaluation import Evaluation
from rgbdsod.types import Callback, Inputs


class Tracker:
    """Keeps each sample's best point and the values of all points that were looked at.

    Args:
        total: how many points will be looked at.
        callback: told after each.
        decisive: a point that fools is better than any that does not, whatever their values.
    """

    def __init__(self, total: int = 0, callback: Callback | None = None, *, decisive: bool = False) -> None:
        self._decisive = decisive
        self._done, self._total, self._callback = 0, total, callback
        self._points: dict[str, Tensor] = {}
        self._best: Evaluation | None = None
        self._trace: list[list[Tensor]] = []
        self._rows: Tensor | None = None  # of the samples that still stand; None: all

    def begin(self) -> None:
        """A new restart, of all samples."""
        self._trace.append([])
        self._rows = None

    def note(self, evaluation: Evaluation) -> None:
        """Write a value into the trace, and report that a look is done. Samples that left keep their last value."""
        value = evaluation.value
        if self._rows is not None:
            before = self._trace[-1] or self._trace[-2]  # samples may leave before a restart's first look
            value = before[-1].index_copy(0, self._rows, value)
        self._trace[-1].append(value)
        self._done += 1
        if self._callback is not None:
            self._callback(self._done, self._total)

    def offer(self, points: Inputs, evaluation: Evaluation) -> None:
        """Keep these points where they are better than the best so far."""
        if self._best is None:
            self._take(points, evaluation)
            return
        if self._rows is not None:
            self._scatter(points, evaluation, self._rows, self._best)
            return
        better = self._better(evaluation, self._best)
        agreed = _agreed(better)
        if agreed is None:
            self._mix(points, evaluation, better, self._best)
        elif agreed:
            self._take(points, evaluation)

    def standing(self) -> Tensor:
        """Which of the samples that still stand are not fooled by their best point, bool, in their order."""
        if self._best is None:  # nothing on the way may be the result, as with keep="last"
            return torch.ones_like(self._trace[-1][-1], dtype=torch.bool)
        fooled = self._best.judge()
        return ~(fooled if self._rows is None else fooled[self._rows])

    def narrow(self, index: Tensor) -> None:
        """From now on only some of the samples are looked at.

        Args:
            index: of them, along those that stood until now.
        """
        self._rows = index if self._rows is None else self._rows[index]

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
        longest = max(len(values) for values in self._trace)
        rows: list[Tensor] = []
        for values in self._trace:
            last = values[-1] if values else rows[-1][-1]  # nobody was left for this restart
            rows.append(torch.stack(values + [last] * (longest - len(values))))
        return torch.stack(rows)

    def _take(self, points: Inputs, evaluation: Evaluation) -> None:
        """All of these points, without their gradients."""
        self._points, self._best = dict(points), replace(evaluation, gradients={})

    def _mix(self, points: Inputs, evaluation: Evaluation, better: Tensor, best: Evaluation) -> None:
        """These points for the samples that are better with them."""
        for name, point in points.items():
            self._points[name] = torch.where(_wide(better, point), point, self._points[name])
        fooled = torch.where(better, evaluation.judge(), best.judge())
        self._best = Evaluation(torch.where(better, evaluation.value, best.value), lambda: fooled)

    def _scatter(self, points: Inputs, evaluation: Evaluation, rows: Tensor, best: Evaluation) -> None:
        """The same for the samples that still stand."""
        verdict = best.judge()
        old = Evaluation(best.value[rows], lambda: verdict[rows])
        better = self._better(evaluation, old)
        for name, point in points.items():
            kept = torch.where(_wide(better, point), point, self._points[name][rows])
            self._points[name] = self._points[name].index_copy(0, rows, kept)
        fooled = verdict.index_copy(0, rows, torch.where(better, evaluation.judge(), verdict[rows]))
        value = best.value.index_copy(0, rows, torch.where(better, evaluation.value, old.value))
        self._best = Evaluation(value, lambda: fooled)

    def _better(self, new: Evaluation, old: Evaluation) -> Tensor:
        higher = new.value > old.value
        if not self._decisive:
            return higher
        fooled, had = new.judge(), old.judge()
        return (fooled & ~had) | ((fooled == had) & higher)


def _wide(flags: Tensor, like: Tensor) -> Tensor:
    """Flags per sample in a shape that broadcasts to that of an input."""
    return flags.view(-1, *[1] * (like.ndim - 1))


def _agreed(flags: Tensor) -> bool | None:
    """What all flags say; None where they differ, or where asking would make the loop wait for a GPU."""
    if not flags.is_cpu:
        return None
    raised = int(flags.sum())
    return None if 0 < raised < len(flags) else raised > 0
