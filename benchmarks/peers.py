"""Our attacks beside those of other packages: time over bare passes, what each reached, and its peak memory.

    pip install 'rgbdsod[bench]'
    python benchmarks/peers.py --network resnet20

The floor of an attack is a bare loop of as many passes of the same frozen network, to its input only. All contestants
take turns with it within a round, so that a busy machine slows all of them; printed is the median over the rounds of
time over floor. Peers get the network as its owner has it, with weights that require gradients. A contestant that is
not installed, has no such attack, or fails is a row with its error.
"""

import json
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Annotated

import torch
import typer
from attack_floor import keep_freed_memory
from contest.cases import CASES, TIMED, Case
from contest.contestants import CONTESTANTS, OURS, Contestant, contestants, told
from contest.memory import memory
from contest.outcome import Outcome, judge
from contest.tasks import Task, bare, open_task
from rich.console import Console
from rich.table import Table

DATA = Path(__file__).parents[2] / "shared" / "data"
_MOST_BARE_STEPS = 20  # of the floor in a round; longer floors are this one, scaled


@dataclass
class Row:
    """One contestant in one case.

    Args:
        network: what was attacked.
        attack: with its steps.
        contestant: with its version.
        ratio: time over the floor's.
        seconds: of one run over the batch.
        passes: forward passes for each sample.
        success: share of the samples.
        norm: median, failures being infinitely far.
        loss: mean.
        peak: MiB of a process that does nothing else.
        extra: MiB above the peak of one bare step.
        error: why there is nothing of all this.
    """

    network: str
    attack: str
    contestant: str
    ratio: float | None = None
    seconds: float | None = None
    passes: float | None = None
    success: float | None = None
    norm: float | None = None
    loss: float | None = None
    peak: float | None = None
    extra: float | None = None
    error: str = ""


class Entry:
    """A contestant in a case: its times, and what its last run reached."""

    def __init__(self, who: Contestant) -> None:
        self.who = who
        self.seconds: list[float] = []
        self.floors: list[float] = []
        self.passes = 0.0
        self.outcome: Outcome | None = None
        self.error = ""

    def turn(self, task: Task, case: Case, step: float, clock: Callable[[], float]) -> None:
        """One run, beside the seconds that a bare step took in this round."""
        start = clock()
        try:
            points = self.who.run(task, case)
        except Exception as error:  # whatever a peer may raise: the row says it
            self.error = told(error)
            return
        self.seconds.append(clock() - start)
        self.passes = task.network.samples / len(task.images)
        self.floors.append(step * (self.passes if case.unit is None else case.unit))
        self.outcome = judge(task, case, points)

    def row(self, task: Task, case: Case) -> Row:
        """What to print; the first round warms up where there are others."""
        row = Row(task.name, case.title, self.who.title, error=self.error)
        if self.outcome is None:
            return row
        skip = 1 if len(self.seconds) > 1 else 0
        row.seconds = median(self.seconds[skip:])
        row.ratio = median(own / floor for own, floor in zip(self.seconds[skip:], self.floors[skip:], strict=True))
        row.passes, row.success = self.passes, self.outcome.success
        row.norm, row.loss = self.outcome.typical_norm, float(self.outcome.loss.mean())
        if self.outcome.outside > 1e-5:
            row.error = f"leaves the box or the radius by {self.outcome.outside:.1g}"
        return row


def compare(
    task: Task, case: Case, who: Sequence[Contestant], rounds: int, patience: float, clock: Callable[[], float]
) -> list[Row]:
    """All rows of a case; a contestant that needs more than `patience` seconds takes part in the first round only."""
    entries = [Entry(one) for one in who if not one.lacks(case)]
    steps = min(case.unit or _MOST_BARE_STEPS, _MOST_BARE_STEPS)
    bare(task, case, 1)
    for _ in range(rounds + 1):
        start = clock()
        bare(task, case, steps)
        step = (clock() - start) / steps
        for entry in entries:
            if not entry.error and (not entry.seconds or entry.seconds[0] < patience):
                entry.turn(task, case, step, clock)
        entries.reverse()  # so that nobody always follows the same one
    entries.sort(key=lambda entry: who.index(entry.who))
    missing = [
        Row(task.name, case.title, one.title, error="missing") for one in who if one.name == OURS and one.lacks(case)
    ]
    return missing + [entry.row(task, case) for entry in entries]


def show(rows: Sequence[Row], title: str) -> None:
    """One table."""
    heads = ("attack", "package", "ratio", "s", "passes", "success", "norm", "loss", "MiB", "+MiB", "remark")
    table = Table(*heads, title=title)
    for row in rows:
        numbers = [f"{row.ratio:.2f}", f"{row.seconds:.2f}", f"{row.passes:.0f}"] if row.ratio else [""] * 3
        numbers += [f"{row.success:.0%}", f"{row.norm:.3g}", f"{row.loss:.3g}"] if row.ratio else [""] * 3
        numbers += [f"{value:.0f}" if value else "" for value in (row.peak, row.extra)]
        table.add_row(row.attack, row.contestant, *numbers, row.error)
    Console(width=160).print(table)


def main(
    network: Annotated[str, typer.Option(help="resnet18, resnet20, resnet32, resnet56, bbsnet, jldcf, d3net")] = (
        "resnet20"
    ),
    attacks: Annotated[str, typer.Option(help="names, separated by commas")] = ",".join(TIMED),
    peers: Annotated[str, typer.Option(help="names, separated by commas")] = ",".join(CONTESTANTS),
    eps: Annotated[float | None, typer.Option(help="radius of the linf attacks in levels of 255; default 8")] = None,
    steps: Annotated[int | None, typer.Option(help="of every attack, for its peers too")] = None,
    rounds: Annotated[int, typer.Option(help="how often each is timed, after a round to warm up")] = 3,
    batch: int = 16,
    size: Annotated[int, typer.Option(help="side of images that are not CIFAR-10's")] = 64,
    patience: Annotated[float, typer.Option(help="seconds from which on a contestant runs only once")] = 20.0,
    data: Annotated[Path, typer.Option(help="folder with weights/cifar10_resnet and cifar10_subset")] = DATA,
    random: Annotated[bool, typer.Option("--random", help="random weights and images")] = False,
    with_memory: Annotated[bool, typer.Option("--memory/--no-memory", help="measure peak memory too")] = True,
    threads: int = 1,
    clock: Annotated[str, typer.Option(help="wall, or cpu on a machine that is busy with other work")] = "wall",
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document")] = False,
) -> None:
    """Print one table."""
    warnings.simplefilter("ignore")
    keep_freed_memory()
    torch.set_num_threads(threads)
    now = time.process_time if clock == "cpu" else time.perf_counter
    arguments = (network, batch, size, data, random)
    task, who = open_task(*arguments), contestants(peers.split(","))
    rows = []
    for name in attacks.split(","):
        case = CASES[name] if eps is None else CASES[name].within(eps / 255)
        case = case if steps is None else case.lasting(steps)
        found = compare(task, case, who, rounds, patience, now)
        for row in found if with_memory else ():
            if row.ratio and (measured := memory(arguments, case, row.contestant.split()[0], threads)):
                row.peak, row.extra = measured.peak, measured.extra
        rows += found
    if as_json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        images = "x".join(str(side) for side in task.images.shape)
        show(rows, f"{network}, images {images}, {rounds} rounds, {threads} thread(s), {clock} clock")


if __name__ == "__main__":
    typer.run(main)
