"""The most memory that an attack takes, in a process of its own."""

import os
import re
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import torch

from contest.cases import Case
from contest.contestants import contestant
from contest.tasks import bare, open_task

_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@dataclass(frozen=True)
class Memory:
    """In MiB.

    Args:
        peak: of the whole process during the attack, with all that it imported.
        extra: by how much that is above the peak of one bare step.
    """

    peak: float
    extra: float


def memory(task: tuple[object, ...], case: Case, name: str, threads: int) -> Memory | None:
    """What a contestant needs for a case; None where it fails, or the system does not tell.

    Args:
        task: arguments of `open_task`.
        case: the attack.
        name: the contestant's.
        threads: PyTorch's.
    """
    if not os.access(_RESET, os.W_OK):
        return None
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(_measure, (task, case, name, threads))


def _measure(arguments: tuple[object, ...], case: Case, name: str, threads: int) -> Memory | None:
    torch.set_num_threads(threads)
    who, task = contestant(name), open_task(*arguments)
    try:
        who.run(task, case)  # what is loaded on first use is no memory of the attack
    except Exception:  # the timed run tells the error
        return None
    _forget_peak()
    bare(task, case, 1)
    floor = _peak()
    _forget_peak()
    who.run(task, case)
    return Memory(_peak(), max(0.0, _peak() - floor))


def _peak() -> float:
    """The peak of this process alone; `ru_maxrss` would start from that of the process it was started by."""
    found = re.search(r"VmHWM:\s+(\d+) kB", _STATUS.read_text())
    return int(found[1]) / 1024 if found else float("nan")


def _forget_peak() -> None:
    """Measure from here on: reading weights and images may have taken more than the attack will."""
    _RESET.write_text("5")
