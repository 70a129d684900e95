"""The ranks of one torchrun: each computes a share of a run, and the first shows how far all of them are."""

import hashlib
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from rgbdsod.errors import RgbdsodError
from rgbdsod.run.share import Share

if TYPE_CHECKING:
    import torch

    from rgbdsod.run.execute import ImageCallback, Outcome, Target
    from rgbdsod.run.task import Task

T = TypeVar("T")

_PATIENCE = 3600.0  # seconds; a rank gives a sign after each pass or batch
_PAUSE = 0.2  # seconds between two looks at the others


@dataclass(frozen=True)
class Ranks:
    """One process of several that torchrun started.

    Args:
        index: from 0 on, over all machines.
        count: how many there are, over all machines.
        local: from 0 on, on this machine.
    """

    index: int
    count: int
    local: int

    @classmethod
    def here(cls) -> "Ranks | None":
        """This process's, as torchrun left them in the environment; None for a process that is alone."""
        if not {"MASTER_ADDR", "MASTER_PORT"} <= os.environ.keys():
            return None
        numbers = [os.environ.get(name, "") for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK")]
        if not all(number.isdigit() for number in numbers):
            return None
        ranks = cls(*map(int, numbers))
        return ranks if ranks.count > 1 else None

    @property
    def share(self) -> Share:
        """What this rank computes."""
        return Share(self.index, self.count)

    def device(self, wanted: str) -> str:
        """The device of this rank: the machine's GPUs go round.

        Args:
            wanted: "auto" and "cuda" leave the choice; every other name is kept.
        """
        import torch

        gpus = torch.cuda.device_count()
        return f"cuda:{self.local % gpus}" if wanted in ("auto", "cuda") and gpus else wanted


class Meeting:
    """Where ranks tell one another something: the store that torchrun offers them.

    Args:
        ranks: this process's.
        name: of what they meet about; the same in all of them.
    """

    def __init__(self, ranks: Ranks, name: str) -> None:
        from torch.distributed import PrefixStore  # type: ignore[attr-defined]
        from torch.distributed.rendezvous import rendezvous

        store, _, _ = next(iter(rendezvous("env://", ranks.index, ranks.count)))
        attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")  # what was told before a restart is void
        self._store = PrefixStore(f"rgbdsod/{attempt}/{name}", store)

    def tell(self, what: str, text: str = "yes") -> None:
        """Let the others know something."""
        self._store.set(what, text)

    def told(self, what: str) -> str | None:
        """What somebody told, if anybody did."""
        return self._store.get(what).decode() if self._store.check([what]) else None

    def wait_for(self, what: str, patience: float = _PATIENCE) -> str:
        """Wait until somebody has told something.

        Raises:
            RgbdsodError: nobody does.
        """
        begin = time.monotonic()
        while (text := self.told(what)) is None:
            if time.monotonic() - begin > patience:
                raise RgbdsodError("the first rank gives no sign; look at its machine, and give the same command again")
            time.sleep(_PAUSE)
        return text

    def is_first(self, what: str) -> bool:
        """Whether nobody has asked this before."""
        return int(self._store.add(what, 1)) == 1


def by_ranks(
    work: Callable[["Target", Share | None, "ImageCallback", Callable[[], None]], T],
    ranks: Ranks,
    name: str,
    *,
    target: "Target",
    is_whole: Callable[[T], bool],
    callback: "ImageCallback | None" = None,
    patience: float = _PATIENCE,
) -> T:
    """Do the same work on all ranks of a torchrun, each its share; the first opens the folder, and has the result.

    Args:
        work: takes where to write, the share, a callback for its progress, and what to call when the folder is open.
        ranks: this process's.
        name: of the work; the same in all ranks, another for each work of one process.
        target: a folder that all ranks see.
        is_whole: whether a result is that of all shares.
        callback: is told about the progress of all, in the first rank.
        patience: seconds without a sign of a rank after which the others give up.

    Returns:
        In the first rank the whole; in the others it may be a part.

    Raises:
        RgbdsodError: a rank gives no sign any more; and what `work` raises.
    """
    watch = _Watch(Meeting(ranks, name), ranks, callback, patience)
    again = replace(target, restart=False)
    if ranks.index > 0:
        watch.wait_for(["open"])
        part = work(again, ranks.share, watch.report, _nothing)
        watch.meeting.tell(f"end/{ranks.index}")
        return part
    opened = partial(watch.meeting.tell, "open")
    first = work(target, ranks.share, watch.report, opened)
    opened()  # of work that found nothing to do
    watch.wait_for([f"end/{rank}" for rank in range(1, ranks.count)])
    return first if is_whole(first) else work(again, None, callback or _unheard, _nothing)


def execute_by_ranks(
    task: "Task",
    ranks: Ranks,
    *,
    target: "Target",
    device: "torch.device",
    batch: int | None = None,
    callback: "ImageCallback | None" = None,
    on_open: Callable[[], None] | None = None,
) -> "Outcome":
    """Run a task on all ranks of a torchrun; each calls this with the same arguments but for its device.

    Args:
        task: what to compute.
        ranks: this process's.
        target: a folder that all ranks see.
        device, batch: as for `execute`.
        callback, on_open: as for `execute`, of the first rank; it is told about the progress of all.

    Returns:
        In the first rank the whole; in the others it may be incomplete.
    """
    from rgbdsod.run.execute import execute

    def work(where: "Target", share: Share | None, tell: "ImageCallback", opened: Callable[[], None]) -> "Outcome":
        def begin() -> None:
            opened()
            if on_open is not None and share == Share(0, ranks.count):
                on_open()

        done = execute(task, target=where, device=device, batch=batch, share=share, callback=tell, on_open=begin)
        return done if share is not None else replace(done, reused=False)  # read, but computed just now

    return by_ranks(
        work, ranks, _name(task, target), target=target, is_whole=lambda found: found.complete, callback=callback
    )


def _nothing() -> None:
    """The folder is open already."""


def _unheard(done: float, total: int) -> None:
    """Nobody asks for progress."""


def _name(task: "Task", target: "Target") -> str:
    """The same in all ranks, another for each run of one process."""
    run = json.dumps([task.command, task.settings(), str(target.out), target.name], sort_keys=True)
    return hashlib.sha256(run.encode()).hexdigest()


class _Watch:
    """How far the ranks are together, and whether they go on.

    Args:
        meeting: of the ranks; ranks: this process's.
        callback: is told about the progress of all, in the first rank.
        patience: seconds to wait for a sign.
    """

    def __init__(self, meeting: Meeting, ranks: Ranks, callback: "ImageCallback | None", patience: float) -> None:
        self.meeting, self.patience = meeting, patience
        self._ranks = ranks
        self._callback = callback if ranks.index == 0 else None
        self._before: float | None = None
        self._done, self._total, self._told = 0.0, 0, -_PAUSE
        self._signs: list[str | None] = []

    def report(self, done: float, total: int) -> None:
        """How far this rank is: images that were there when it began, and its own."""
        if self._before is None:
            self._before = done
        self._done, self._total = done, total
        now = time.monotonic()
        if now - self._told >= _PAUSE or done >= total:
            self._told = now
            self.meeting.tell(f"sign/{self._ranks.index}", repr(done - self._before))
            self._show()

    def wait_for(self, keys: Sequence[str]) -> None:
        """Wait until all of it was told.

        Raises:
            RgbdsodError: nobody shows any progress any more.
        """
        last = time.monotonic()
        while missing := [key for key in keys if self.meeting.told(key) is None]:
            if self._show():
                last = time.monotonic()
            elif time.monotonic() - last > self.patience:
                raise RgbdsodError(
                    f"no sign of {', '.join(missing)} for {self.patience / 60:g} minutes; "
                    "look at the machines of the other ranks, and give the same command again"
                )
            time.sleep(_PAUSE)
        self._show()

    def _show(self) -> bool:
        """Look at the others; whether any of them got on."""
        others = [rank for rank in range(self._ranks.count) if rank != self._ranks.index]
        signs = [self.meeting.told(f"sign/{rank}") for rank in others]
        moved, self._signs = signs != self._signs, signs
        if self._callback is not None and self._before is not None:
            done = self._done + sum(float(sign) for sign in signs if sign is not None)
            self._callback(min(done, self._total), self._total)
        return moved
