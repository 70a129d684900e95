"""The ensemble of attacks that reports the worst case of each sample."""

from collections.abc import Callable
from typing import Unpack

from rgbdsod.attacks.budget import Threat
from rgbdsod.attacks.checks.suspicion import suspicions
from rgbdsod.attacks.core import Common
from rgbdsod.attacks.door import check_norms
from rgbdsod.attacks.problem import Problem
from rgbdsod.attacks.suites.member import Member
from rgbdsod.attacks.suites.worst import SuiteResult, worst_case
from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs

STEPS, QUERIES = 100, 5000
_EOT = 20  # passes that one gradient is the mean of, for models that answer at random

Members = list[Member]


def autoattack(
    problem: Problem,
    inputs: Inputs,
    threat: Threat,
    *,
    version: str = "auto",
    steps: int = STEPS,
    queries: int | None = None,
    **common: Unpack[Common],
) -> SuiteResult:
    """Attacks of different kinds, each without a step size to choose; each sample keeps its worst point.

    "standard" (class scores): APGD on cross-entropy, APGD towards the 9 strongest other classes, FAB likewise, Square
    with 5000 queries; each sees what the others have not fooled. "rand": APGD on cross-entropy and DLR with gradients
    averaged over 20 passes. "saliency" (maps): APGD on bce, js and dlr-rank, SegPGD, CosPGD, FAB within the radius,
    Square with 1000 queries; all see all samples, and the worst tracked value counts. "sea" (maps): APGD on js,
    masked-bce and masked-margin, 300 steps in shrinking balls.

    Args:
        problem: what is attacked.
        inputs: all inputs (B, ...) in [0, 1].
        threat: budgets by input: Linf, L2 or L1 (without Square, which is not defined there).
        version: "standard", "rand", "saliency", "sea", or "auto": standard for class scores, saliency for maps.
        steps: of each attack; fewer than 100 makes no AutoAttack, and the members' names in the result say so.
        queries: of Square; None: the version's own.
        common: see `rgbdsod.attacks.core.Common`.

    Returns:
        The worst case, with what is suspicious about it in `notes`.

    Raises:
        UsageError: a version that does not fit the problem, an L0 budget, steps or queries below 1.

    Source: Croce and Hein, "Reliable evaluation of adversarial robustness", arXiv 2003.01690; for maps after Croce et
    al., "Towards Reliable Evaluation and Fast Training of Robust Semantic Segmentation Models", arXiv 2306.12941.
    """
    check_norms("autoattack", threat, ("linf", "l2", "l1"))
    for flag, value in (("steps", steps), ("queries", queries)):
        if value is not None and value < 1:
            raise UsageError(f"--{flag} {value} attacks nothing; pass 1 or more")
    chosen = ("standard" if problem.kind == "classes" else "saliency") if version == "auto" else version
    if chosen not in VERSIONS:
        raise UsageError(f'no version "{chosen}"; versions are auto, {", ".join(VERSIONS)}')
    if (chosen in ("saliency", "sea")) != (problem.kind != "classes"):
        raise UsageError(f'version "{chosen}" is not for {problem.kind}; pass --version auto')
    spoken = any(budget.norm == "l1" for budget in threat.values())
    members = [
        member for member in VERSIONS[chosen](problem, steps, queries) if not (spoken and member.attack == "square")
    ]
    until = "end" if chosen in ("saliency", "sea") else "fooled"
    if chosen == "rand":
        common["eot"] = _EOT
    result = worst_case(problem, inputs, threat, members, until=until, **common)
    return suspicions(result, problem, inputs, threat)


def _standard(problem: Problem, steps: int, queries: int | None) -> Members:
    asked = queries or QUERIES
    return [
        _apgd("ce", steps),
        Member("apgd-t", {"steps": steps}, label=_label("apgd-t", steps)),
        Member("fab", {"steps": steps, "rivals": 9}, label=_label("fab-t", steps)),
        _square(asked, QUERIES),
    ]


def _rand(problem: Problem, steps: int, queries: int | None) -> Members:
    return [_apgd("ce", steps), _apgd("dlr", steps)]


def _saliency(problem: Problem, steps: int, queries: int | None) -> Members:
    if problem.kind != "maps":  # one score per sample is its own objective
        return [Member("apgd", {"steps": steps}), Member("fab", {"steps": steps}), _square(queries or 1000, 1000)]
    return [
        *[_apgd(objective, steps) for objective in ("bce", "js", "dlr-rank")],
        *[Member(name, {"steps": steps}, label=_label(name, steps)) for name in ("segpgd", "cospgd")],
        Member("fab", {"steps": steps}, label=_label("fab", steps)),
        _square(queries or 1000, 1000),
    ]


def _sea(problem: Problem, steps: int, queries: int | None) -> Members:
    return [
        Member("apgd", {"steps": 3 * steps, "anneal": True}, objective, label=_label(f"apgd-{objective}", steps))
        for objective in ("js", "masked-bce", "masked-margin")
    ]


def _apgd(objective: str, steps: int) -> Member:
    return Member("apgd", {"steps": steps}, objective, label=_label(f"apgd-{objective}", steps))


def _square(queries: int, full: int) -> Member:
    return Member("square", {"queries": queries}, label=_label("square", queries, full, "queries"))


def _label(name: str, count: int, full: int = STEPS, what: str = "steps") -> str:
    """The member's name; one that was cut short says so."""
    return name if count >= full else f"{name} ({count} {what})"


VERSIONS: dict[str, Callable[[Problem, int, int | None], Members]] = {
    "standard": _standard,
    "rand": _rand,
    "saliency": _saliency,
    "sea": _sea,
}
