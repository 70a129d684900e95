"""Which attacks know a defence, and what each leaves of a batch."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from rgbdsod.attacks import MapProblem, Problem, Result
from rgbdsod.attacks.table import ATTACKS
from rgbdsod.defenses import Chain
from rgbdsod.run.attack_piece import AttackPiece
from rgbdsod.run.attack_settings import AttackPlan
from rgbdsod.run.defense.choice import STRONGER, DefenseChoice
from rgbdsod.run.defense.front import Front, Quiet
from rgbdsod.run.painting import target_maps
from rgbdsod.run.store import MemoryStore
from rgbdsod.types import Inputs

UNAWARE = "transfer"
"""The attack on the undefended network, as one of those that an aware attacker has too."""

SEARCH = "square"
_FIRST = "pgd"


@dataclass(frozen=True)
class Way:
    """One way to attack a network behind a defence.

    Args:
        attack: a name of `ATTACKS`.
        weight: of the detector's score in the loss; None: it is not in there.
        times: the run's steps.
    """

    attack: str
    weight: float | None = None
    times: int = 1

    @property
    def name(self) -> str:
        """What tables call it."""
        return self.attack if self.weight is None else f"{self.attack} {self.weight:g}"


def ways(plan: AttackPlan, chain: Chain, choice: DefenseChoice) -> Iterator[Way]:
    """The attacks through a defence: the run's own, PGD, a stronger one, those that keep a detector quiet, a search.

    Args:
        plan: of the run; attacks that do not take its norm are left out.
        chain: the defence.
        choice: weights, and whether to search.
    """
    for name in dict.fromkeys((plan.settings.attack, _FIRST, STRONGER)):
        if plan.norm in ATTACKS[name].norms:
            yield Way(name)
    if chain.switch is not None and plan.norm in ATTACKS[_FIRST].norms:
        yield from (Way(_FIRST, weight) for weight in choice.weights if weight)
    if choice.search and plan.norm in ATTACKS[SEARCH].norms:
        yield Way(SEARCH)


class Attacker:
    """The images of a piece and who attacks them behind a defence.

    Args:
        piece: images, network, and the run's own attack.
        masks: ground truth (B,1,H,W).
        choice: draws of a gradient, queries of a search.
    """

    def __init__(self, piece: AttackPiece, masks: Tensor, choice: DefenseChoice) -> None:
        self._piece, self._masks, self._choice = piece, masks, choice
        self.radii = piece.plan.radii[0]
        self.ids = [sample.id for sample in piece.samples]

    def unaware(self) -> tuple[dict[str, Tensor], Result]:
        """The inputs as read back from their files, and the result, of the attack on the undefended network."""
        result = self._piece.perturbed(self.radii, _nobody)
        return self._saved(result), result

    def through(self, chain: Chain, way: Way) -> tuple[dict[str, Tensor], Result]:
        """The same of an attack that knows the defence."""
        twin = copy.copy(self._piece)
        twin.plan = self.plan(chain, way)
        result = twin.perturbed(self.radii, _nobody, self.problem(chain, way))
        return self._saved(result), result

    def plan(self, chain: Chain, way: Way) -> AttackPlan:
        """The run's plan with another attack, as many steps, and the mean over a random defence's draws."""
        own = self._piece.plan
        takes = ATTACKS[way.attack].parameters()
        kept: dict[str, Any] = dict(own.parameters) if way.attack == own.settings.attack else {}
        steps = own.parameters.get("steps")
        if "steps" in takes and steps is not None:
            kept["steps"] = steps * way.times
        if way.attack == SEARCH:
            kept["queries"] = self._choice.queries
        eot = self._choice.expectation if chain.random and "steps" in takes else own.settings.eot
        settings = replace(own.settings, attack=way.attack, parameters=kept, norm=own.norm, eot=eot, check=False)
        return AttackPlan.of(settings, own.inputs, self._piece.model.name)

    def problem(self, chain: Chain, way: Way) -> Problem:
        """What the attack raises, behind the defence."""
        front = Front(self._piece.model, chain, self.ids, way.name)
        chosen = self._piece.plan.settings
        settings: dict[str, Any] = {
            "objective": chosen.objective, "goal": chosen.goal, "success": self._piece.plan.success,
            "target": None if chosen.target is None else target_maps(chosen.target, self._masks),
        }  # fmt: skip
        if way.weight is None:
            return MapProblem(front, self._masks, **settings)
        return Quiet(front, self._masks, way.weight, **settings)

    def _saved(self, result: Result) -> dict[str, Tensor]:
        return self._piece.through_files(result, self.radii, MemoryStore(), keep=False)

    @property
    def clean(self) -> Inputs:
        """The inputs before any attack."""
        return self._piece.clean


def _nobody(done: int, total: int) -> None:
    """Is told of the passes."""
