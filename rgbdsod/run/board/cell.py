"""What the attacks of one modality and radius leave of one entry, image by image."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rgbdsod.run.ablation.statistics import Draws, Estimate, estimate
from rgbdsod.run.board.suite import INPUTS
from rgbdsod.run.clip.accuracy import wilson
from rgbdsod.run.patch_defense.averages import SLACK
from rgbdsod.run.threats import show_eps

Floats = NDArray[np.float64]
Row = Mapping[str, Any]

NOISE, UNREAD = "noise", "unread"
"""Winners that are no attack: noise of the same radius; an input that the network does not read."""

_FOOLED = 0.5


@dataclass(frozen=True, eq=False)
class Cell:
    """One modality at one radius.

    Args:
        modality: of `INPUTS`.
        eps: the radius.
        clean, worst: IoU of each image before, and under whatever harms it most, (N,).
        winners: that attack, for each image.
        failed: sentences on attacks that do not work as they should.
    """

    modality: str
    eps: float
    clean: Floats
    worst: Floats
    winners: tuple[str, ...]
    failed: tuple[str, ...] = ()

    @classmethod
    def of(cls, modality: str, eps: float, rows: Sequence[Row], failed: Sequence[str] = ()) -> "Cell":
        """The cell of `defend`'s rows of one defence."""
        clean, noise, aware = (
            np.array([row[f"{view}_iou"] for row in rows], np.float64) for view in ("clean", "noise", "aware")
        )
        names = [NOISE if less else str(row["aware_attack"]) for row, less in zip(rows, noise < aware, strict=True)]
        return cls(modality, eps, clean, np.minimum(noise, aware), tuple(names), tuple(failed))

    @classmethod
    def unread(cls, modality: str, eps: float, clean: Floats) -> "Cell":
        """The cell of a network that reads nothing of what may change."""
        return cls(modality, eps, clean, clean, (UNREAD,) * len(clean))

    @property
    def place(self) -> str:
        """In words: "depth 4/255"."""
        return f"{self.modality} {show_eps(self.eps)}"

    def within(self, other: "Cell") -> bool:
        """Whether all that was allowed here is allowed there too."""
        return self.eps <= other.eps and set(INPUTS[self.modality]) <= set(INPUTS[other.modality])

    def row(self) -> dict[str, Any]:
        """The cell as a table has it."""
        held, fooled = int((self.clean >= _FOOLED).sum()), int(((self.clean >= _FOOLED) & (self.worst < _FOOLED)).sum())
        share = wilson(fooled, held) if held else Estimate(None, None, None)
        return {
            "modality": self.modality, "eps": self.eps, "clean": float(self.clean.mean()),
            "worst": asdict(mean(self.worst)), "held": held, "fooled": fooled,
            "share": {"value": share.value, "low": share.low, "high": share.high},
            "attacks": {name: self.winners.count(name) for name in dict.fromkeys(self.winners)},
            "failed": list(self.failed),
        }  # fmt: skip


def nested(cells: Sequence[Cell]) -> list[Cell]:
    """The same cells, each image at its worst under everything that its budget allows.

    What was found within a smaller radius, or on one input of two, is within the larger budget too. A cell whose own
    attacks leave more on average than those of a smaller budget is marked: they should have found as much.
    """
    found = []
    for cell in cells:
        inner = [other for other in cells if other is not cell and other.within(cell)]
        worst, winners, failed = cell.worst.copy(), list(cell.winners), list(cell.failed)
        for other in inner:
            for at in np.flatnonzero(other.worst < worst):
                worst[at], winners[at] = other.worst[at], f"{other.winners[at]}, {other.place}"
            if other.worst.mean() + SLACK < cell.worst.mean():
                failed.append(f"a smaller budget ({other.place}) harms more; take more steps")
        found.append(Cell(cell.modality, cell.eps, cell.clean, worst, tuple(winners), tuple(failed)))
    return found


def mean(values: Floats) -> Estimate:
    """The mean over images (N,), with a 95 % interval from drawing them with replacement."""
    return estimate(Draws(1, len(values)).mean(values[None]))
