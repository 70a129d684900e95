"""Queries of which the verdict alone is seen."""

import torch
from torch import Tensor

from rgbdsod.attacks.probes import Probes, all_of
from rgbdsod.attacks.search import Search


@torch.no_grad()
def decide(search: Search, vectors: Tensor, among: Tensor | None = None) -> Tensor:
    """Whether vectors fool, bool (B,): one query each, and the nearest that fooled is kept.

    Args:
        search: at work.
        vectors: where, (B, D).
        among: which samples are asked, bool (B,); the others spend nothing and count as not fooled. None: all.
    """
    asked = torch.ones_like(search.rows, dtype=torch.bool) if among is None else among
    fooled, index = torch.zeros_like(asked), asked.nonzero().flatten()
    if not len(index):
        return fooled
    engine = search.engine if len(index) == len(search) else search.engine.part(index)
    points = {name: value[index] for name, value in search.space.split(vectors).items()}
    fooled = fooled.index_copy(0, index, engine.decide(points))
    # a verdict has no gap but its sign, which is what the trace shows
    search.record(vectors, torch.where(fooled, -1.0, 1.0).to(vectors), fooled, vectors.new_empty(0))
    return fooled


@torch.no_grad()
def decide_each(search: Search, vectors: Tensor, among: Tensor) -> Tensor:
    """Whether several vectors of each sample fool, bool (B, n): n queries for each sample that is asked.

    Args:
        search: at work.
        vectors: where, (B, n, D).
        among: which samples are asked, bool (B,); what the others are said to be means nothing.
    """
    index, count = among.nonzero().flatten(), vectors.shape[1]
    fooled = torch.zeros(vectors.shape[:2], dtype=torch.bool, device=vectors.device)
    if not len(index):
        return fooled
    engine = search.engine if len(index) == len(search) else search.engine.part(index)
    points = {name: value[index] for name, value in search.space.split(vectors).items()}
    return fooled.index_copy(0, index, Probes(engine).decisions(all_of(points), count))


def left(search: Search, queries: int) -> Tensor:
    """How many queries each sample that still stands may spend, int64 (B,)."""
    spent = search.engine.passes()[0][search.rows.cpu()]
    return (queries - spent).to(search.rows)
