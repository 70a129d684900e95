"""Who takes part; each is imported when it is called for, so that one that is not installed stops nobody else."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType

import numpy as np
import torch
from torch import Tensor

from contest.cases import Case
from contest.tasks import Task

OURS = "rgbdsod"
CONTESTANTS = {
    OURS: "contest.ours",
    "prepared": "contest.prepared",
    "torchattacks": "contest.torchattacks",
    "foolbox": "contest.foolbox",
    "art": "contest.art",
    "adv-lib": "contest.advlib",
}


@dataclass(frozen=True)
class Contestant:
    """One package.

    Args:
        name: as in `CONTESTANTS`.
        module: where its `run` is; None where it cannot be imported.
        error: why not.
    """

    name: str
    module: ModuleType | None
    error: str = ""

    @property
    def title(self) -> str:
        """Name and version."""
        return self.name if self.module is None else f"{self.name} {self.module.VERSION}"

    def lacks(self, case: Case) -> bool:
        """Whether it has no such attack."""
        return self.module is not None and case.name not in self.module.ATTACKS

    def run(self, task: Task, case: Case) -> Tensor:
        """The adversarial images, from the same random numbers at each call.

        Raises:
            ImportError: it is not installed, or does not work here.
            Exception: whatever stops it.
        """
        if self.module is None:
            raise ImportError(self.error)
        torch.manual_seed(0)
        np.random.seed(0)  # ART draws from the global generator
        task.network.samples = 0
        try:
            points: Tensor = self.module.run(task, case)
        finally:
            task.network.eval()  # some put back another mode than they found, or leave gradients behind
            task.network.requires_grad_(True)
            task.network.zero_grad()
        return points


def contestant(name: str) -> Contestant:
    """One package, imported; its error where that fails."""
    try:
        return Contestant(name, import_module(CONTESTANTS[name]))
    except Exception as error:  # whatever an import may raise: the row says it
        return Contestant(name, None, told(error))


def contestants(names: Sequence[str]) -> list[Contestant]:
    """Several packages."""
    return [contestant(name) for name in names]


def told(error: BaseException) -> str:
    """The first line of an error, with its kind."""
    text = str(error).strip().split("\n")[0]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
