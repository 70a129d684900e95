"""A cell's task in a worker of a Ray cluster, where the networks of cells that follow one another are kept, too."""

from functools import lru_cache

from rgbdsod.run.benchmark.cell import Cell
from rgbdsod.run.benchmark.networks import Opener
from rgbdsod.run.execute import Task


def task_of(arguments: tuple[Cell, str]) -> Task:
    """What measures a cell, on a device."""
    cell, device = arguments
    return _opener(device).task(cell)[0]


@lru_cache(maxsize=1)
def _opener(device: str) -> Opener:
    return Opener(device)
