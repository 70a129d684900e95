"""Is each of our attacks at least as strong as its best peer at equal steps?

    pip install 'rgbdsod[bench]'
    python benchmarks/strength.py --networks resnet20,resnet32,resnet56,bbsnet,jldcf,d3net

Attacked are images that the network gets right, at a radius that leaves some of them standing. What every contestant
hands back is measured alike. With a fixed radius the best is who fools most, then who reaches the higher mean loss;
without one, who fools most, then who is nearer in the mean over the samples that both fooled. Equal is what differs by
less than two standard errors, or by less than 2 %.
"""

import json
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import torch
import typer
from contest.cases import CASES, Case
from contest.contestants import CONTESTANTS, OURS, Contestant, contestants, told
from contest.outcome import Outcome, judge
from contest.tasks import Task, open_task
from peers import DATA
from rich.console import Console
from rich.table import Table
from torch import Tensor

RADII = {"classes": {"white": 1 / 255, "black": 4 / 255}, "maps": {"white": 1 / 255, "black": 8 / 255}}
"""Where some samples stand and some fall."""
_SLACK = 0.02  # share of a norm or a loss that counts as equal


@dataclass(frozen=True)
class Row:
    """Ours beside one peer.

    Args:
        network: what was attacked.
        attack: with its steps.
        peer: with its version.
        ours: share of the samples that we fool.
        theirs: share that the peer fools.
        measure: what the next two are: "loss", the mean over all samples; "norm", the mean where both fooled.
        our_size: ours.
        their_size: the peer's.
        verdict: "stronger", "equal" or "WEAKER"; empty where there is nothing to compare.
        remark: why not.
    """

    network: str
    attack: str
    peer: str
    ours: float = 0.0
    theirs: float = 0.0
    measure: str = ""
    our_size: float = 0.0
    their_size: float = 0.0
    verdict: str = ""
    remark: str = ""


def attempt(who: Contestant, task: Task, case: Case) -> Outcome | str:
    """What a contestant reached, or why it reached nothing."""
    if who.lacks(case):
        return "missing"
    try:
        return judge(task, case, who.run(task, case))
    except Exception as error:  # whatever a peer may raise: the row says it
        return told(error)


def beside(task: Task, case: Case, peer: Contestant, ours: Outcome, theirs: Outcome) -> Row:
    """One comparison."""
    if case.eps is None:
        both = ours.fooled & theirs.fooled
        sizes = ours.norm[both], theirs.norm[both]
        closer = ahead(sizes[1], sizes[0])
    else:
        sizes = ours.loss, theirs.loss
        closer = ahead(*sizes)
    lead = ahead(ours.fooled.float(), theirs.fooled.float(), slack=0.0) or closer
    verdict = "equal" if lead == 0 else "stronger" if lead > 0 else "WEAKER"
    means = ("norm" if case.eps is None else "loss", *(float(size.mean()) for size in sizes))
    remark = f"it leaves the box or the radius by {theirs.outside:.1g}" if theirs.outside > 1e-5 else ""
    return Row(task.name, case.title, peer.title, ours.success, theirs.success, *means, verdict, remark)


def ahead(ours: Tensor, theirs: Tensor, slack: float = _SLACK) -> float:
    """By how much the first is larger in the mean; 0 within two standard errors, or within a share of the second."""
    if len(ours) < 2:
        return 0.0
    lead = ours - theirs
    mean, error = float(lead.mean()), 2 * float(lead.std()) / len(lead) ** 0.5
    return mean if abs(mean) > max(error, slack * abs(float(theirs.mean()))) else 0.0


def compare(task: Task, case: Case, who: Sequence[Contestant]) -> list[Row]:
    """Ours, who comes first, beside each peer."""
    ours, *peers = who
    own = attempt(ours, task, case)
    rows = []
    for peer in (one for one in peers if not one.lacks(case)):
        theirs = attempt(peer, task, case)
        if isinstance(own, Outcome) and isinstance(theirs, Outcome):
            rows.append(beside(task, case, peer, own, theirs))
        else:
            remark = theirs if isinstance(theirs, str) else f"ours: {own}"
            rows.append(Row(task.name, case.title, peer.title, remark=remark))
    return rows


def at_radius(case: Case, task: Task) -> Case:
    """The case with a radius that leaves some samples standing, where it has one."""
    kind = "classes" if task.labels.ndim == 1 else "maps"
    return case.within(RADII[kind]["black" if case.floor == "forward" else "white"])


def show(rows: Sequence[Row], title: str) -> None:
    """One table."""
    table = Table("network", "attack", "peer", "fooled: ours", "peer", "", "ours", "peer", "", "remark", title=title)
    for row in rows:
        numbers = [f"{row.ours:.0%}", f"{row.theirs:.0%}", row.measure, f"{row.our_size:.4g}", f"{row.their_size:.4g}"]
        cells = numbers if row.verdict else [""] * 5
        table.add_row(row.network, row.attack, row.peer, *cells, row.verdict, row.remark)
    Console(width=160).print(table)


def main(
    networks: Annotated[str, typer.Option(help="names, separated by commas")] = "resnet20,bbsnet",
    attacks: Annotated[str, typer.Option(help="names, separated by commas")] = ",".join(CASES),
    peers: Annotated[str, typer.Option(help="names, separated by commas")] = ",".join(CONTESTANTS),
    samples: Annotated[int, typer.Option(help="images for each network")] = 64,
    size: Annotated[int, typer.Option(help="side of the scenes")] = 128,
    data: Annotated[Path, typer.Option(help="folder with weights/cifar10_resnet and cifar10_subset")] = DATA,
    threads: int = 1,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document")] = False,
) -> None:
    """Print one table; exit status 6 where one of ours is weaker."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(threads)
    who = contestants([OURS, *(name for name in peers.split(",") if name != OURS)])
    rows: list[Row] = []
    for network in networks.split(","):
        task = open_task(network, samples, size, data)
        rows += [row for name in attacks.split(",") for row in compare(task, at_radius(CASES[name], task), who)]
    if as_json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        show(rows, f"{samples} samples, equal steps")
    if any(row.verdict == "WEAKER" for row in rows):
        raise typer.Exit(6)


if __name__ == "__main__":
    typer.run(main)
