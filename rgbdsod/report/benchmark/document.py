"""A benchmark's document as a page needs it: who was attacked, by what, how far."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from rgbdsod.report.tables import Estimate
from rgbdsod.report.wording import show_attack, show_eps

Row = Mapping[str, Any]

MEASURES = {"sm": "S-measure", "accuracy": "accuracy"}


class Target(NamedTuple):
    """What is attacked: a network, on one of its inputs or on all."""

    model: str
    modality: str

    @property
    def name(self) -> str:
        """In one line."""
        return f"{short(self.model)}, {self.modality}"


@dataclass(frozen=True)
class BenchDocument:
    """The content of metrics.json.

    Args:
        rows: one for each target, attack and radius.
        notes: what to know before comparing.
        suite: its name.
    """

    rows: Sequence[Row]
    notes: tuple[str, ...]
    suite: str

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "BenchDocument":
        """A document that was read."""
        suites = [Path(name).stem for name in str(document["settings"]["suite"]).split(",")]
        return cls(document["rows"], tuple(document["notes"]), ", ".join(suites))

    @property
    def targets(self) -> list[Target]:
        """In the order of the suite."""
        return list(dict.fromkeys(target_of(row) for row in self.rows))

    @property
    def models(self) -> list[str]:
        """In the order of the suite."""
        return list(dict.fromkeys(row["model"] for row in self.rows))

    @property
    def attacks(self) -> list[str]:
        """In the order of the suite."""
        return list(dict.fromkeys(row["attack"] for row in self.rows))

    def radii(self, attack: str) -> list[float]:
        """Of an attack, rising."""
        return sorted({row["eps"] for row in self.rows if row["attack"] == attack})

    def find(self, target: Target, attack: str, eps: float) -> Row | None:
        """The row of a place in the table, if it was measured."""
        same = (row for row in self.rows if target_of(row) == target)
        return next((row for row in same if row["attack"] == attack and row["eps"] == eps), None)

    def worst(self, target: Target) -> Row:
        """The row in which a target loses most."""
        own = [row for row in self.rows if target_of(row) == target]
        return max(own, key=lambda row: row["loss"]["value"] or 0.0)


def short(model: str) -> str:
    """A network's name where space is narrow: "bbsnet" always means "bbsnet.demo"."""
    return model.removesuffix(".demo")


def target_of(row: Row) -> Target:
    """Who is attacked."""
    return Target(row["model"], row["modality"])


def estimate_of(row: Row | None, name: str) -> Estimate | None:
    """The "loss" or the "share" of a row."""
    if row is None or row[name]["value"] is None:
        return None
    return Estimate(row[name]["value"], row[name]["low"], row[name]["high"])


def attack_name(name: str) -> str:
    """An attack with its steps in print: "PGD-20"."""
    own, dash, steps = name.rpartition("-")
    return f"{show_attack(own)}-{steps}" if dash and steps.isdigit() else show_attack(name)


def condition(row: Row) -> str:
    """Attack and radius in print: "PGD-20 at 8/255"."""
    return f"{attack_name(row['attack'])} at {show_eps(row['eps'])}"
