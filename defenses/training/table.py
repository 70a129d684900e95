"""Which methods of adversarial training exist. No torch here."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rgbdsod.errors import UsageError
from rgbdsod.registry import Table

if TYPE_CHECKING:
    from rgbdsod.attacks import Threat
    from rgbdsod.defenses.training.protocol import MapHardening


@dataclass(frozen=True)
class MapHardeningRow:
    """One method.

    Args:
        name: what a user types.
        path: where it is, "module:Class".
        summary: one sentence.
        paper: authors, title and year.
        arxiv: arXiv id.
        passes: of the network in a step, k steps of the attack included.
        settings: its own, by name; each is also the name of a flag.
    """

    name: str
    path: str
    summary: str
    paper: str
    arxiv: str
    passes: str
    settings: tuple[str, ...]

    def load(self) -> "Callable[..., MapHardening]":
        """The method's class; imports torch."""
        module, _, name = self.path.partition(":")
        found: Callable[..., MapHardening] = getattr(importlib.import_module(module), name)
        return found


_HERE = "rgbdsod.defenses.training"

MAP_HARDENINGS: Table[MapHardeningRow] = Table(
    "hardening",
    [
        MapHardeningRow("pgd", f"{_HERE}.pgd:AdversarialTraining", "learn from inputs moved by k steps of PGD",
                        "Madry et al., Towards Deep Learning Models Resistant to Adversarial Attacks, 2017",
                        "1706.06083", "k+1 forward and backward", ("steps", "step_size", "objective")),
        MapHardeningRow("trades", f"{_HERE}.trades:Trades",
                        "the clean loss, and how far k steps move the map from the clean one",
                        "Zhang et al., Theoretically Principled Trade-off between Robustness and Accuracy, 2019",
                        "1901.08573", "k+2 forward and backward, 1 forward", ("steps", "step_size", "beta")),
        MapHardeningRow("free", f"{_HERE}.free:FreeTraining",
                        "each batch several times; one backward pass moves weights and inputs",
                        "Shafahi et al., Adversarial Training for Free!, 2019",
                        "1904.12843", "1 forward and backward", ("replays",)),
        MapHardeningRow("fast", f"{_HERE}.fast:FastTraining", "one step of 1.25 radii from a random start",
                        "Wong et al., Fast is better than free: Revisiting adversarial training, 2020",
                        "2001.03994", "2 forward and backward", ("alpha", "objective")),
    ],
)  # fmt: skip
"""All methods, by name."""


def map_hardening(name: str, threat: "Threat", *, sources: str = "joint", **settings: Any) -> "MapHardening":
    """A method of adversarial training; imports torch.

    Args:
        name: of a row in `MAP_HARDENINGS`.
        threat: budgets by input; an input that is not named stays clean.
        sources: "joint", "alternate" or "worst".
        settings: the method's own; what is not named has its default.

    Raises:
        UsageError: no such method or setting, or a value out of range.

    Example:
        >>> from rgbdsod.attacks import Budget
        >>> from rgbdsod.defenses import map_hardening
        >>> map_hardening("trades", {"rgb": Budget(eps=4 / 255)}, steps=3).passes
        Passes(forward=6, backward=5)
    """
    row = MAP_HARDENINGS[name]
    for key in settings:
        if key not in row.settings:
            raise UsageError(f"--{key.replace('_', '-')} has no effect with --adversarial {name}; {_has(row)}")
    return row.load()(threat, sources=sources, **settings)


def _has(row: MapHardeningRow) -> str:
    flags = ", ".join(f"--{key.replace('_', '-')}" for key in row.settings)
    return f"its settings are {flags}"
