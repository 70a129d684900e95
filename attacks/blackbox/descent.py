"""ZOO's iterations: which coordinates, their slopes, their steps."""

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor

from rgbdsod.attacks.blackbox.coordinate import Moments, newton
from rgbdsod.attacks.blackbox.grid import Grid
from rgbdsod.attacks.norms import Ball
from rgbdsod.attacks.probes import Probes
from rgbdsod.attacks.search import Search
from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs

Solver = Literal["adam", "newton"]

_SIDES, _MARKS = (32, 64, 128), (2 / 15, 10 / 15)  # of the grid, and after which share of the iterations it grows
_SMALL = 64  # images up to this side are attacked value by value
_REFRESH = 1 / 15  # share of the iterations after which importance is measured again


class Descent:
    """Noise on a grid, and what its coordinates remember, for the samples that still stand.

    Args:
        search: asks, and keeps what fooled.
        counts: how many coordinates of each input an iteration takes.
        levels: the grids, the coarsest first.
        spread: how far the points of a pair are from the middle.
        step_size: of a coordinate.
        solver: how a step is made from slopes.
        importance: whether coordinates of finer grids are drawn by importance.
    """

    def __init__(
        self,
        search: Search,
        counts: Sequence[int],
        levels: Sequence[Grid],
        *,
        spread: float,
        step_size: float,
        solver: Solver,
        importance: bool,
    ) -> None:
        self._search, self._counts, self._levels = search, counts, levels
        self._spread, self._step_size, self._solver, self._importance = spread, step_size, solver, importance
        self._grid = levels[0]
        self._noise = search.space.clean.new_zeros(len(search), self._grid.count)
        self._moments = Moments.begin(self._noise)
        self._draws = torch.ones_like(self._noise)
        self._won = self._noise.new_zeros(len(search), dtype=torch.bool)
        self._lowest = self._noise.new_full((len(search),), torch.inf)
        self._measured = 0.0
        self._probes: tuple[int, Probes] | None = None

    @property
    def point(self) -> Tensor:
        """Where the samples are, (B, D)."""
        return self._search.space.clip(self._search.space.clean + self._grid.spread(self._noise))

    def lowest(self, gap: Tensor, weight: Tensor) -> Tensor:
        """The lowest objective of this round, the point's included, (B,).

        Args:
            gap: at the point, (B,).
            weight: of the gap, (B,).
        """
        change = self.point - self._search.space.clean
        self._lowest = torch.minimum(self._lowest, change.square().sum(1) + weight * gap.clamp_min(0))
        return self._lowest

    def refine(self, progress: float) -> None:
        """Go on with a finer grid where it is time, and measure importance there."""
        level = self._levels[min(sum(progress >= mark for mark in _MARKS), len(self._levels) - 1)]
        grown = level is not self._grid
        if grown:
            self._noise, self._grid = level.from_coarser(self._noise, self._grid), level
            self._moments, self._draws = Moments.begin(self._noise), torch.ones_like(self._noise)
        if self._importance and level is not self._levels[0] and (grown or progress >= self._measured + _REFRESH):
            self._draws, self._measured = self._grid.importance(self._noise), progress

    def begin_anew(self, ended: Tensor, fooled: Tensor) -> None:
        """Samples whose round ended go back to the clean input; a first success clears the moments.

        Args:
            ended: bool (B,).
            fooled: bool (B,).
        """
        self._moments = self._moments.fresh(ended | (fooled & ~self._won))
        self._noise = torch.where(ended[:, None], 0.0, self._noise)
        self._lowest = torch.where(ended, torch.inf, self._lowest)
        self._won = self._won | fooled

    def leave(self, done: Tensor, *state: Tensor) -> list[Tensor]:
        """Samples that are done leave, and with them what is remembered of them."""
        own = (self._noise, self._draws, self._won, self._lowest, *self._moments)
        self._noise, self._draws, self._won, self._lowest, *rest = self._search.leave(done, *own, *state, at_once=True)
        self._moments = Moments(*rest[: len(self._moments)])
        return rest[len(self._moments) :]

    def down(self, gap: Tensor, weight: Tensor, step: int) -> None:
        """One iteration: a step down for some coordinates of each sample.

        Args:
            gap: at the point, (B,).
            weight: of the gap in the objective, (B,).
            step: which iteration, on which the random numbers depend.
        """
        space = self._search.space
        room = self._grid.widest(space.upper - space.lower)
        numbers = self._search.streams("coordinates", step).uniform(self._noise)
        index = self._grid.draw(self._draws * (room > 0), numbers, self._counts)
        slope, bend = self.slopes(index, gap, weight)
        self._moments, way = self._moments.after(index, slope)
        if self._solver == "newton":
            way = newton(slope, bend)
        moved = self._noise.gather(1, index) - self._step_size * way
        low, high = (self._grid.widest(space.clean - space.lower), self._grid.widest(space.upper - space.clean))
        moved = torch.clamp(moved, -low.gather(1, index), high.gather(1, index))
        self._noise = self._noise.scatter(1, index, moved)

    def slopes(self, index: Tensor, gap: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        """First and second derivatives of the objective at some coordinates, (B, m) each.

        Those of the squared change are known; those of the gap are symmetric differences.

        Args:
            index: of the coordinates, (B, m).
            gap: at the point, (B,).
            weight: of the gap, (B,).

        Source: Chen et al., "ZOO", arXiv 1708.03999, equations 6 and 7.
        """
        space, point, count = self._search.space, self.point, index.shape[1]
        sides = torch.cat([index, index], 1)
        signs = point.new_tensor([self._spread, -self._spread]).repeat_interleave(count)
        squares = torch.zeros_like(index, dtype=point.dtype)

        def make(first: int, last: int) -> Inputs:
            ways = self._grid.each(sides[:, first:last])
            squares[:, first : min(last, count)] = ways[:, : max(count - first, 0)].square().sum(2)
            moved = point[:, None] + signs[first:last, None] * ways
            return space.split(torch.clamp(moved, space.lower[:, None], space.upper[:, None]))

        scores, _ = self._on().scores(make, 2 * count)
        above, below = torch.split((-scores).clamp_min(0), count, 1)
        here, weight = gap.clamp_min(0)[:, None], weight[:, None]
        own = 2 * self._grid.fold(point - space.clean).gather(1, index)
        slope = own + weight * (above - below) / (2 * self._spread)
        bend = 2 * squares + weight * (above - 2 * here + below) / self._spread**2
        return slope, bend

    def _on(self) -> Probes:
        """Probes of the samples that still stand, kept until some leave."""
        if self._probes is None or self._probes[0] != len(self._search):
            self._probes = (len(self._search), Probes(self._search.engine))
        return self._probes[1]


def levels(balls: Mapping[str, Ball], hierarchy: bool) -> list[Grid]:
    """The grids of an attack, the coarsest first; one as fine as the inputs where these are small.

    Args:
        balls: the attacked inputs.
        hierarchy: whether there may be several.
    """
    shapes = [_image(ball.clean) for ball in balls.values()]
    longest = max((max(shape[1:]) for shape in shapes), default=1)
    like = next((ball.clean for ball in balls.values()), torch.empty(0))
    if not hierarchy or longest <= _SMALL:
        return [Grid(shapes, None, like)]
    return [Grid(shapes, side, like) for side in _SIDES if side < longest]


def shares(balls: Mapping[str, Ball], share: Mapping[str, float] | None, coordinates: int) -> list[int]:
    """How many coordinates of each input an iteration takes; equal shares unless others are stated.

    Raises:
        UsageError: a share is missing, negative, or all are 0.
    """
    if share is None:
        parts = dict.fromkeys(balls, 1.0)
    else:
        if missing := [name for name in balls if name not in share]:
            raise UsageError(f"share names {', '.join(share)}, but {missing[0]} is attacked too")
        parts = {name: share[name] for name in balls}
        if parts and (min(parts.values()) < 0 or not sum(parts.values()) > 0):
            raise UsageError(f"share {parts}: pass 0 or more for each input, not 0 for all")
    ends = torch.tensor([0.0, *parts.values()]).cumsum(0)
    ends = (coordinates * ends / ends[-1].clamp_min(1e-30)).round().long()
    return list(ends.diff().tolist())


def _image(value: Tensor) -> tuple[int, int, int]:
    """Channels, height and width of an input; one row of values where it is no image."""
    if value.ndim != 4:
        return 1, 1, value[0].numel()
    return value.shape[1], value.shape[2], value.shape[3]
