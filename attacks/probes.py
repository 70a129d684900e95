"""Many queries for each sample at once, in pieces that fit into memory."""

from collections.abc import Callable

import torch
from torch import Tensor

from rgbdsod.attacks.engine import Engine
from rgbdsod.types import Inputs

ROWS = 256
"""Copies in one forward pass, until memory says otherwise."""


class Probes:
    """Asks a problem about several points of each sample. Every point is one query of its sample.

    Args:
        engine: for the samples that still stand.
        rows: most points in one forward pass; halved whenever memory runs out.
    """

    def __init__(self, engine: Engine, rows: int = ROWS) -> None:
        self._engine, self._rows = engine, rows
        self._parts: dict[int, Engine] = {}

    def values(self, points: Inputs) -> tuple[Tensor, Tensor]:
        """The tracked values and the verdicts at points (B, n, ...): float (B, n) and bool (B, n)."""

        def look(engine: Engine, part: Inputs) -> Tensor:
            evaluation = engine.evaluate(part)
            return torch.stack([evaluation.value.double(), evaluation.judge().double()])

        found = self._ask(points, look)
        return found[0].to(next(iter(points.values())).dtype), found[1] > 0

    def decisions(self, points: Inputs) -> Tensor:
        """The verdicts alone, bool (B, n)."""
        return self._ask(points, lambda engine, part: engine.decide(part)[None])[0]

    def _ask(self, points: Inputs, look: Callable[[Engine, Inputs], Tensor]) -> Tensor:
        """All answers (answers, B, n)."""
        samples, count = next(iter(points.values())).shape[:2]
        found, done = [], 0
        while done < count:
            copies = min(max(1, self._rows // max(samples, 1)), count - done)
            part = {name: value[:, done : done + copies].flatten(0, 1) for name, value in points.items()}
            try:
                answer = look(self._copies(copies, next(iter(part.values())).device), part)
            except torch.OutOfMemoryError:
                if copies == 1:
                    raise
                self._rows = max(1, copies * samples // 2)
                self._parts.clear()
                continue
            found.append(answer.unflatten(1, (samples, copies)))
            done += copies
        return torch.cat(found, 2)

    def _copies(self, count: int, device: torch.device) -> Engine:
        """The engine for so many copies of each sample; kept, since making it copies what does not change."""
        if count not in self._parts:
            rows = torch.arange(len(self._engine), device=device).repeat_interleave(count)
            self._parts[count] = self._engine.part(rows) if count > 1 else self._engine
        return self._parts[count]
