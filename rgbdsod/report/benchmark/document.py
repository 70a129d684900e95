"""A benchmark's document as a page needs it: who was attacked, by what, how far."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from rgbdsod.report.tables import Estimate
from rgbdsod.report.wording import show_attack, show_eps

Row = Mapping[str, Any]

MEASURES = {"sm": "S-measure", "accuracy": "accuracy"}


class Target(NamedTuple):
    """What is attacked: a network, on one of its inputs or on all, on some images."""

    network: str
    modality: str
    data: str = ""
    """Empty where a network has one data set alone."""

    @property
    def name(self) -> str:
        """In one line."""
        return ", ".join(part for part in (short(self.network), self.modality, self.data) if part)


@dataclass(frozen=True)
class BenchDocument:
    """The content of metrics.json.

    Args:
        rows: one for each target, attack and radius.
        notes: what to know before comparing.
        suite: its name.
        failures: cells that could not be measured, and why.
    """

    rows: Sequence[Row]
    notes: tuple[str, ...]
    suite: str
    failures: Sequence[Mapping[str, Any]] = ()

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "BenchDocument":
        """A document that was read."""
        suites = [Path(name).stem for name in str(document["settings"]["suite"]).split(",")]
        return cls(document["rows"], tuple(document["notes"]), ", ".join(suites), document.get("failures", ()))

    @property
    def targets(self) -> list[Target]:
        """In the order of the suite."""
        return list(dict.fromkeys(self.target_of(row) for row in self.rows))

    @property
    def networks(self) -> list[str]:
        """In the order of the suite."""
        return list(dict.fromkeys(network_of(row) for row in self.rows))

    @cached_property
    def several_data(self) -> bool:
        """Whether a network is measured on more than one data set."""
        return len({(network_of(row), row["data"]) for row in self.rows}) > len(self.networks)

    @property
    def attacks(self) -> list[str]:
        """In the order of the suite."""
        return list(dict.fromkeys(row["attack"] for row in self.rows))

    def radii(self, attack: str) -> list[float]:
        """Of an attack, rising."""
        return sorted({row["eps"] for row in self.rows if row["attack"] == attack})

    def find(self, target: Target, attack: str, eps: float) -> Row | None:
        """The row of a place in the table, if it was measured."""
        return self._places.get((target, attack, eps))

    def worst(self, target: Target) -> Row | None:
        """The row in which a target loses most; None where nothing of it was measured."""
        own = [row for row in self.rows if self.target_of(row) == target and row["clean"] is not None]
        return max(own, key=lambda row: row["loss"]["value"] or 0.0, default=None)

    def target_of(self, row: Row) -> Target:
        """Who is attacked."""
        return Target(network_of(row), row["modality"], row["data"] if self.several_data else "")

    @cached_property
    def _places(self) -> dict[tuple[Target, str, float], Row]:
        places = ((self.target_of(row), row["attack"], row["eps"]) for row in reversed(self.rows))
        return dict(zip(places, reversed(self.rows), strict=True))  # of several for one place the first


def short(model: str) -> str:
    """A network's name where space is narrow: "bbsnet" always means "bbsnet.demo"."""
    return model.removesuffix(".demo")


def network_of(row: Row) -> str:
    """The network's name; benchmarks before grids had the model's alone."""
    return str(row.get("network", row["model"]))


def estimate_of(row: Row | None, name: str) -> Estimate | None:
    """The "loss" or the "share" of a row."""
    if row is None or row[name]["value"] is None:
        return None
    return Estimate(row[name]["value"], row[name]["low"], row[name]["high"])


def attack_name(name: str) -> str:
    """An attack with its steps in print: "PGD-20", "PGD-20 restarts=3"."""
    first, _, parameters = name.partition(" ")
    own, dash, steps = first.rpartition("-")
    shown = f"{show_attack(own)}-{steps}" if dash and steps.isdigit() else show_attack(first)
    return f"{shown} {parameters}".rstrip()


def condition(row: Row) -> str:
    """Attack and radius in print: "PGD-20 at 8/255"."""
    return f"{attack_name(row['attack'])} at {show_eps(row['eps'])}"
