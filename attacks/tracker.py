"""The best point so far, per sample, without asking the device."""

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
        self._value: Tensor | None = None
        self._fooled: Tensor | None = None
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
        if self._value is None or self._fooled is None:
            self._points, self._value, self._fooled = dict(points), evaluation.value, evaluation.fooled
            return
        better = evaluation.value > self._value
        self._value = torch.where(better, evaluation.value, self._value)
        self._fooled = torch.where(better, evaluation.fooled, self._fooled)
        for name, point in points.items():
            wide = better.view(-1, *[1] * (point.ndim - 1))
            self._points[name] = torch.where(wide, point, self._points[name])

    def adopt(self, points: Inputs) -> None:
        """Take points that nobody has looked at."""
        self._points = dict(points)

    def best(self) -> tuple[dict[str, Tensor], Tensor, Tensor]:
        """The best points, their values (B,) (NaN where nobody looked) and whether they fool, bool (B,)."""
        value = self._trace[0][0].new_full(self._trace[0][0].shape, torch.nan) if self._value is None else self._value
        fooled = torch.zeros_like(value, dtype=torch.bool) if self._fooled is None else self._fooled
        return dict(self._points), value, fooled

    def trace(self) -> Tensor:
        """All values, (restarts, points, B)."""
        return torch.stack([torch.stack(values) for values in self._trace])
