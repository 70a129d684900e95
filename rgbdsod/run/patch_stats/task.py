"""A run that compares patches with photographs."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from rgbdsod.metrics import Embedder
from rgbdsod.run.patch_stats.measure import BASELINES, Nearby, spectra
from rgbdsod.run.patch_stats.sets import PatchSet
from rgbdsod.run.pieces import Piece
from rgbdsod.run.store import Store

_PARTS = ("file", "seen", "distance")
"""Columns of a row that are documents of their own."""


@dataclass(frozen=True)
class Sets:
    """Sets of patches, as a run's data."""

    found: Sequence[PatchSet]

    @property
    def ids(self) -> list[str]:
        """What they are called."""
        return [own.id for own in self.found]

    def sizes(self) -> list[int]:
        """One: they are all brought to the same side."""
        return [0] * len(self.found)


@dataclass(eq=False)
class StatsTask:
    """Measure patches beside crops of photographs.

    Args:
        data: the patches.
        photographs: (3,H,W) in [0, 1].
        reference: what the photographs are called.
        embedder: "random", or what embeds.
        appearances: of each set.
        seed: of crops and draws.
        transforms: under which pictures are seen.
        given: how patches and weights were named; they are recorded so.
    """

    data: Sets
    photographs: Sequence[Tensor]
    reference: str
    embedder: Embedder | str
    appearances: int
    seed: int
    transforms: str
    given: Mapping[str, Any]
    command: str = "patch stats"
    modules: tuple[nn.Module, ...] = ()
    _near: list[Nearby] = field(default_factory=list)

    @property
    def title(self) -> str:
        """The first patches and what they are compared with."""
        return f"{self.data.ids[0]}-{self._embedder}"

    @property
    def side(self) -> int:
        """Of all pictures whose distances are measured: the smallest patch's."""
        return min(own.side for own in self.data.found)

    def settings(self) -> dict[str, Any]:
        """All that the numbers depend on."""
        own = {"reference": self.reference, "embedder": self._embedder, "appearances": self.appearances}
        own |= {"transforms": self.transforms}
        return {**self.given, **own, "seed": self.seed, "patch_sha256": [one.digest for one in self.data.found]}

    def record(self) -> dict[str, Any]:
        """Entries of run.json; there is no model."""
        data = {"name": self.reference, "images": len(self.photographs), "fingerprint": None, "warnings": []}
        return {"model": {"name": "none", "sha256": None, "note": None}, "data": data, "seed": self.seed}

    def begin(self, store: Store) -> None:
        """Cut the crops."""
        self._near = [
            Nearby.of(self.photographs, self.side, self.appearances, self.embedder, self.seed, self.transforms)
        ]

    def compute(self, part: list[int], store: Store, advance: Callable[[float], None]) -> Piece:
        """Some of the sets."""
        rows = []
        for done, at in enumerate(part):
            own = self.data.found[at]
            distance = self._near[0].distance(own.at(self.side))
            found = {"file": spectra(own.pictures), "seen": spectra(own.seen), "distance": distance}
            parts = {name: json.dumps(value) for name, value in {**found, "facts": own.facts()}.items()}
            rows.append({"id": own.id, "patches": len(own.patches), **parts})
            advance(done + 1)
        return Piece([self.data.ids[at] for at in part], rows)

    def metrics(self, merged: Piece) -> dict[str, Any]:
        """Sets of patches, and what is measured beside them."""
        sets = [_read(row) for row in merged.rows]
        beside = [
            {"id": name, "file": spectra(list(pictures)), "distance": self._near[0].distance(pictures)}
            for name, pictures in ((name, self._near[0].baseline(name)) for name in BASELINES)
        ]
        first = sets[0]["distance"]
        found = {
            "reference": self.reference, "embedder": self._embedder, "name": first["name"],
            "dimension": first["dimension"], "side": self.side, "transforms": self.transforms,
            "photographs": len(self.photographs),
            "sets": sets, "beside": beside,
        }  # fmt: skip
        return found | {"warnings": _warnings(found, first)}

    @property
    def _embedder(self) -> str:
        return self.embedder if isinstance(self.embedder, str) else self.embedder.name


def _read(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the table with its parts as documents."""
    own = {name: json.loads(row[name]) for name in (*_PARTS, "facts")}
    facts = own.pop("facts")
    return {"id": row["id"], "patches": row["patches"], **facts, **own}


def _warnings(found: Mapping[str, Any], first: Mapping[str, Any]) -> list[str]:
    """What a user should know before trusting a number."""
    notes = []
    if not first["enough"]:
        notes.append(
            f"{first['appearances']} appearances for {first['dimension']} numbers: take 2.5 for each number "
            f"(--appearances {-(-5 * first['dimension'] // 2)}), or read the kernel distance"
        )
    if any(own["patches"] == 1 for own in found["sets"]):
        notes.append("one patch is no distribution: its distance is that of its appearances")
    return notes
