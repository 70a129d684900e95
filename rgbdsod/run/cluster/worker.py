"""What a Ray worker does: it builds the driver's task once, and computes one piece after another with it."""

import json
import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from rgbdsod.attacks.problem import frozen
from rgbdsod.errors import RgbdsodError, UsageError
from rgbdsod.run.environment import versions
from rgbdsod.run.identity import differences
from rgbdsod.run.memory import free_memory, is_out_of_memory
from rgbdsod.run.pieces import Piece, pack
from rgbdsod.run.store import MemoryStore
from rgbdsod.run.task import Task

_NO_MATTER = ("system", "python")  # versions that may differ between nodes


@dataclass(frozen=True)
class Recipe:
    """How a worker builds the driver's task; settings travel, networks and images do not.

    Args:
        make: builds the task; a function of a module that workers can import.
        arguments: what it takes; they travel pickled. Tasks of one identity are the same task.
        expected: `identity_of` the driver's task.
        folder: the driver's working folder, in which relative paths are looked for.
        threads: on CPUs those of the driver, since sums over another number of them differ in their last bit; 0 leaves
            Ray's.
    """

    make: Callable[[Any], Task]
    arguments: Any = field(compare=False)
    expected: str
    folder: str
    threads: int

    @classmethod
    def of(cls, task: Task, make: Callable[[Any], Task], arguments: Any, *, cpu: bool = True) -> "Recipe":
        """The recipe of a task that was made so in this process, for workers that compute on CPUs or not."""
        return cls(make, arguments, identity_of(task), str(Path.cwd()), torch.get_num_threads() if cpu else 0)


@dataclass(frozen=True)
class Answer:
    """What a worker sends back.

    Args:
        piece: as it is stored; empty where there is none.
        files: by name, those beside the piece.
        error: class and sentence of an error that trying again does not mend.
        full: whether memory ran out.
    """

    piece: bytes = b""
    files: Mapping[str, bytes] = field(default_factory=dict)
    error: tuple[str, str] | None = None
    full: bool = False


class _Parcel(MemoryStore):
    """Files that will travel."""

    def content(self) -> dict[str, bytes]:
        """All files by name."""
        return dict(self._files)


def identity_of(task: Task) -> str:
    """All that the numbers of a task depend on, as JSON; of the record only what is compared."""
    record = task.record()
    found = {name: version for name, version in versions().items() if name not in _NO_MATTER}
    settings = {**task.settings(), **{f"{name} version": version for name, version in found.items()}}
    compared = {name: record.get(name) for name in ("model", "data")}
    return json.dumps({"command": task.command, "settings": settings, **compared})


def compute_part(recipe: Recipe, part: list[int]) -> Answer:
    """Compute the piece of some images.

    Args:
        recipe: of the task; it is built once in a process.
        part: indices of images of one size.
    """
    parcel = _Parcel()
    try:
        piece = _piece(_built(recipe), part, parcel)
    except RgbdsodError as error:
        return Answer(error=(type(error).__name__, str(error)))
    if piece is None:
        free_memory()
        return Answer(full=True)
    return Answer(pack(piece), parcel.content())


def _piece(task: Task, part: list[int], parcel: MemoryStore) -> Piece | None:
    """The piece, or None when memory ran out; the error's frames are gone by then."""
    try:
        with frozen(*task.modules):
            return task.compute(part, parcel, lambda done: None)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
    return None


@lru_cache(maxsize=1)
def _built(recipe: Recipe) -> Task:
    """The driver's task in this process.

    Raises:
        UsageError: the node has other weights, data or versions.
    """
    if Path(recipe.folder).is_dir():
        os.chdir(recipe.folder)
    if recipe.threads:
        torch.set_num_threads(recipe.threads)
    task = recipe.make(recipe.arguments)
    found = differences(json.loads(recipe.expected), json.loads(identity_of(task)))
    if found:
        which = "; ".join(f"{name} {its}, not {mine}" for name, mine, its in found)
        raise UsageError(f"the node {socket.gethostname()} has {which}; give all nodes the same")
    return task
