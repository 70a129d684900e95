"""A problem, inputs and budgets that an attack of the table can take, so that every row gets the same tests."""

import pytest
import torch
from attacks_networks import Pair, Saliency, seeded
from attacks_problems import scene
from torch import Tensor

from rgbdsod.attacks import ATTACKS, Budget, ClassProblem, MapProblem
from rgbdsod.attacks.rows import AttackRow

ROWS = pytest.mark.parametrize("row", list(ATTACKS), ids=lambda row: row.name)
_STRONGEST = {"linf": (4 / 255, 16 / 255), "l2": (0.5, 0.2), "l1": (3.0, 1.0), "l0": (12, 9)}
_NEAREST = {"linf": (1.0, 1.0), "l2": (20.0, 20.0), "l1": (500.0, 500.0), "l0": (256, 256)}


def case(row: AttackRow, samples: int = 4, dtype: torch.dtype = torch.float32):
    """A random network on random inputs, right at first: maps, or classes for attacks that need them."""
    inputs = {name: value.to(dtype) for name, value in scene(samples)[0].items()}
    if row.outputs != "classes":
        maps = seeded(Saliency()).to(dtype)
        return MapProblem(maps, (maps(inputs) > 0).to(dtype)), inputs
    network = seeded(Pair()).to(dtype)
    labels: Tensor = network(inputs).argmax(1)
    return ClassProblem(network, labels, inputs=("rgb", "depth")), inputs


def budgets(row: AttackRow, names: tuple[str, ...] = ("rgb", "depth"), **settings) -> dict[str, Budget]:
    """Small radii, or for attacks that look for the smallest change such as let them find it."""
    radii = (_NEAREST if row.aim == "nearest" else _STRONGEST)[row.norms[0]]
    return {
        name: Budget(row.norms[0], radius, **settings)
        for name, radius in zip(("rgb", "depth"), radii, strict=True)
        if name in names
    }


def start_value(row: AttackRow, problem, inputs) -> Tensor:
    """What an attack calls its loss at the clean inputs."""
    outputs = problem.forward(inputs)
    return -problem.gap(outputs) if row.aim == "nearest" else problem.loss(outputs)
