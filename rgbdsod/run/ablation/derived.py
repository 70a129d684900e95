"""From the cells of an ablation to the numbers that answer its question."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rgbdsod.run.ablation.grid import REFERENCES
from rgbdsod.run.ablation.measure import MISSING, Cell, Condition
from rgbdsod.run.ablation.statistics import Draws, Estimate, estimate, share
from rgbdsod.run.ablation.trainings import PLAIN

Numbers = NDArray[np.float64]
"""A value, then the same of each draw."""


@dataclass(frozen=True)
class Design:
    """What is compared: a design of a model, trained in some way; with several seeds."""

    model: str
    fusion: str
    training: str


@dataclass(frozen=True)
class Derived:
    """One number made of means of the S-measure, with its interval.

    Args:
        kind: "relative_drop", (clean - attacked) / clean;
            "reliance", the share of one input in the sum of the drops when either is attacked;
            "reliance_missing", the same when either is missing;
            "interaction", the drop when both are attacked less the drops when either is;
            "gap_to_rgb", S under the attack on RGB less that of the network of RGB alone;
            "difference", S less that of another design, in `against`;
            "externality", S less that of the plainly trained network.
        design, condition: of the number.
        against: what it is compared with.
        estimate: it.
    """

    kind: str
    design: Design
    condition: Condition
    against: str | None
    estimate: Estimate

    def row(self) -> dict[str, Any]:
        """A line of the document."""
        found = asdict(self.estimate)
        return {"kind": self.kind} | asdict(self.design) | asdict(self.condition) | {"against": self.against} | found


class Means:
    """Mean S-measure of every design under every condition, with common draws of seeds and images.

    Args:
        cells: of all networks; every design has the same seeds and images.
    """

    def __init__(self, cells: Sequence[Cell]) -> None:
        self.tables: dict[tuple[Design, Condition], list[NDArray[np.float64]]] = {}
        for cell in cells:
            design = Design(cell.network.model, cell.network.fusion, cell.network.training)
            self.tables.setdefault((design, cell.condition), []).append(cell.per_image)
        first = next(iter(self.tables.values()))
        draws = Draws(len(first), len(first[0]))
        self._means = {key: draws.mean(np.stack(rows)) for key, rows in self.tables.items()}

    @property
    def designs(self) -> list[Design]:
        """In the order of the cells."""
        return list(dict.fromkeys(design for design, _ in self.tables))

    def conditions(self, design: Design) -> list[Condition]:
        """All of a design, in the order of the cells."""
        return [condition for own, condition in self.tables if own == design]

    def get(self, design: Design, condition: Condition) -> Numbers | None:
        """The mean and its draws; None where that was not measured."""
        return self._means.get((design, condition))

    def __getitem__(self, key: tuple[Design, Condition]) -> Numbers:
        return self._means[key]

    def drop(self, design: Design, condition: Condition) -> Numbers | None:
        """(clean - attacked) / clean."""
        after = self.get(design, condition)
        clean = self[design, Condition()]
        return None if after is None else (clean - after) / clean


def table_rows(means: Means) -> list[dict[str, Any]]:
    """The mean of every design under every condition, with its interval and the mean of each seed."""
    rows = []
    for (design, condition), tables in means.tables.items():
        found = estimate(means[design, condition])
        numbers = {"mean": found.value, "low": found.low, "high": found.high}
        seeds = {"seeds": [float(table.mean()) for table in tables]}
        rows.append(asdict(design) | asdict(condition) | {"measure": "sm"} | numbers | seeds)
    return rows


def derived_numbers(means: Means) -> list[Derived]:
    """All derived numbers, of every kind."""
    found: list[Derived] = []
    for design in means.designs:
        for condition in means.conditions(design):
            found += _of_one(means, design, condition)
    return [*found, *_differences(means)]


def _of_one(means: Means, design: Design, condition: Condition) -> Iterator[Derived]:
    """The numbers of one design under one condition."""

    def number(kind: str, values: Numbers, against: str | None = None) -> Derived:
        return Derived(kind, design, condition, against, estimate(values))

    drop = means.drop(design, condition)
    if drop is None or condition == Condition():
        drop = None
    elif condition.attack != MISSING:
        yield number("relative_drop", drop)
    if drop is not None and (other := _other_input(means, design, condition)) is not None:
        yield number("reliance_missing" if condition.attack == MISSING else "reliance", share(drop, [other]))
    if drop is not None and condition.modality == "both":
        single = [means.drop(design, Condition(condition.attack, name, condition.eps)) for name in REFERENCES]
        if all(value is not None for value in single):
            yield number("interaction", drop - sum(value for value in single if value is not None))
    yield from _against_others(means, design, condition, number)


def _against_others(means: Means, design: Design, condition: Condition, number: Any) -> Iterator[Derived]:
    """The numbers that compare a design with a reference, and a training with the plain one."""
    own = means[design, condition]
    reference = means.get(Design(design.model, "rgb", PLAIN), condition)
    if reference is not None and design.fusion not in REFERENCES and condition.modality in ("none", "rgb"):
        yield number("gap_to_rgb", own - reference, "rgb")
    plain = means.get(Design(design.model, design.fusion, PLAIN), condition)
    if plain is not None and design.training != PLAIN:
        yield number("externality", own - plain, PLAIN)


def _differences(means: Means) -> Iterator[Derived]:
    """Every two designs of one model and training."""
    fused = [design for design in means.designs if design.fusion not in REFERENCES]
    for one, other in combinations(fused, 2):
        if (one.model, one.training) != (other.model, other.training):
            continue
        for condition in means.conditions(one):
            theirs = means.get(other, condition)
            if theirs is not None:
                own = means[one, condition]
                yield Derived("difference", one, condition, other.fusion, estimate(own - theirs))


def _other_input(means: Means, design: Design, condition: Condition) -> Numbers | None:
    """The drop when the other of two inputs is attacked or lost in the same way."""
    if condition.modality not in REFERENCES:
        return None
    other = REFERENCES[1 - REFERENCES.index(condition.modality)]
    return means.drop(design, Condition(condition.attack, other, condition.eps))
