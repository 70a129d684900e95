"""How many passes through the network an attack takes: told by the attack itself, on a network that costs nothing."""

import time
from functools import lru_cache

import torch
from torch import Tensor, nn

from rgbdsod.attacks import Budget, ClassProblem, MapProblem, Problem
from rgbdsod.attacks.table import ATTACKS
from rgbdsod.errors import RgbdsodError
from rgbdsod.run.attack_settings import own_parameters
from rgbdsod.run.benchmark.cell import Assault, Cell
from rgbdsod.run.benchmark.contender import ZERO_SHOT
from rgbdsod.types import Inputs

_SIDE = 8
_SECONDS = 20.0
_OF_THE_NETWORK = ("layers", "gate")  # parameters that name parts of the real network


def passes(cell: Cell) -> tuple[int, int] | None:
    """Forward and backward passes for each image; of attacks that stop early the most. None: only a run tells.

    Args:
        cell: whose attack is asked.
    """
    return _passes(cell.assault, cell.contender.world == ZERO_SHOT, cell.eps > 0)


@lru_cache(maxsize=256)
def _passes(assault: Assault, classes: bool, moves: bool) -> tuple[int, int] | None:
    if classes and not moves:
        return 0, 0  # nothing may change, so nothing is asked
    parameters = own_parameters(assault.method, dict(assault.parameters))
    if any(parameters.get(name) is not None for name in _OF_THE_NETWORK):
        return None
    inputs = {"image": torch.full((1, 3, _SIDE, _SIDE), 0.5)}
    problem: Problem = (
        ClassProblem(_Scores(), torch.zeros(1, dtype=torch.long)) if classes
        else MapProblem(_Map(), _object(), inputs=("image",))
    )  # fmt: skip
    try:
        found = ATTACKS[assault.method].load()(
            problem, inputs, {"image": Budget(eps=4 / 255 if moves else 0.0)}, **parameters, seed=0,
            sample_ids=["plan"], callback=_Patience(),
        )  # fmt: skip
    except (RgbdsodError, TimeoutError):
        return None
    return int(found.forward[0]), int(found.backward[0])


class _Patience:
    """Ends an attack of so many steps that counting them would take long."""

    def __init__(self) -> None:
        self._end = time.monotonic() + _SECONDS

    def __call__(self, done: int, total: int) -> None:
        if time.monotonic() > self._end:
            raise TimeoutError


class _Map(nn.Module):
    """A logit for each pixel, (B,1,H,W), which is right and stays so whatever small change there is."""

    def forward(self, inputs: Inputs) -> Tensor:
        level = inputs["image"].mean(1, keepdim=True)
        return level + 10 * (2 * _object() - 1)


def _object() -> Tensor:
    """A mask (1,1,H,W) of the left half."""
    mask = torch.zeros(1, 1, _SIDE, _SIDE)
    mask[..., : _SIDE // 2] = 1
    return mask


class _Scores(nn.Module):
    """Scores of several classes (B,4), of which no small change makes another the highest."""

    def forward(self, inputs: Inputs) -> Tensor:
        level = inputs["image"].mean((1, 2, 3))
        return torch.stack([10 - level, *(level / step for step in (1, 2, 3))], 1)
