"""Where attacks that see decisions only begin: at a point that fools already."""

from collections.abc import Mapping

import torch
from torch import Tensor

from rgbdsod.attacks.blackbox.decisions import decide
from rgbdsod.attacks.norms import Ball
from rgbdsod.attacks.search import Search
from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs

_TRIES = 50  # queries for a random start


def first_points(search: Search, start: Inputs | None, queries: int) -> Tensor:
    """A vector that fools for each sample that still stands, (B, D).

    The clean input is asked first, then the start that was given, then uniform noise. Samples that are fooled as they
    are leave, and so do those for which nothing was found: they come back clean, as failures.

    Args:
        search: at work, with all samples.
        start: values of the attacked inputs that fool, (B, ...); what a mask forbids is not taken from them.
        queries: most that a sample may spend here.

    Raises:
        UsageError: the start does not fit the inputs.
    """
    check_start(search.engine.balls, start)
    points = search.space.clean
    given = None if start is None else _vectors(search, start)
    fooled = decide(search, points)
    points, *rest = search.leave(fooled, points, *([] if given is None else [given]), at_once=True)
    found = torch.zeros_like(search.rows, dtype=torch.bool)
    if rest and queries > 1:
        points, found = rest[0], decide(search, rest[0])
    for attempt in range(min(_TRIES, queries - 1 - len(rest))):
        if bool(found.all()):
            break
        space = search.space
        noise = space.lower + (space.upper - space.lower) * search.streams("start", attempt).uniform(space.clean)
        fresh = decide(search, noise, among=~found)
        points, found = torch.where(fresh[:, None], noise, points), found | fresh
    return search.leave(~found, points, at_once=True)[0]


def check_start(balls: Mapping[str, Ball], start: Inputs | None) -> None:
    """Refuse a start that does not fit the attacked inputs.

    Raises:
        UsageError: so.
    """
    for name, ball in balls.items():
        if start is not None and (name not in start or start[name].shape != ball.clean.shape):
            found = tuple(start[name].shape) if name in start else "nothing"
            raise UsageError(f'start has {found} for input "{name}"; pass values of shape {tuple(ball.clean.shape)}')


def _vectors(search: Search, start: Inputs) -> Tensor:
    """A start as vectors, inside the box and the masks."""
    own = {name: start[name].to(ball.clean) for name, ball in search.engine.balls.items()}
    return search.space.clip(search.space.join(own))
