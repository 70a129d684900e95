"""The images of a piece and who attacks them, behind a defence or not."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from rgbdsod.attacks import Result
from rgbdsod.attacks.table import ATTACKS
from rgbdsod.defenses import Chain
from rgbdsod.run.attack_piece import AttackPiece
from rgbdsod.run.attack_settings import own_parameters
from rgbdsod.run.defense.aware.bent import bent
from rgbdsod.run.defense.aware.problems import Gated, Quiet, Ranked, World
from rgbdsod.run.defense.aware.way import SEARCH, Way
from rgbdsod.run.defense.choice import DefenseChoice
from rgbdsod.run.defense.front import Front, gated
from rgbdsod.run.store import MemoryStore
from rgbdsod.types import Inputs

_STRIDES = ("linf", "l2")
"""Norms in which a share of the radius is a step."""


class Attacker:
    """The images of a piece and who attacks them.

    Args:
        piece: images, network, and the run's own attack.
        masks: ground truth (B,1,H,W).
        choice: draws of a gradient, queries of a search.
    """

    def __init__(self, piece: AttackPiece, masks: Tensor, choice: DefenseChoice) -> None:
        self._piece, self._masks, self._choice = piece, masks, choice
        self.plan, self.radii = piece.plan, piece.plan.radii[0]
        self.ids = [sample.id for sample in piece.samples]

    @property
    def gated(self) -> bool:
        """Whether the network itself has a switch that drops depth."""
        return gated(self._piece.model)

    @property
    def clean(self) -> Inputs:
        """The inputs before any attack."""
        return self._piece.clean

    def unaware(self) -> dict[str, Tensor]:
        """The inputs, as read back from their files, under the run's attack on the undefended network."""
        return self._saved(self._piece.perturbed(self.radii, _nobody))

    def through(
        self, chain: Chain, way: Way, rows: Sequence[int] | None = None, begin: Inputs | None = None
    ) -> tuple[dict[str, Tensor], Result]:
        """The inputs as read back from their files, and the result, of an attack that knows the defence.

        Args:
            chain: the defence.
            way: how it is attacked.
            rows: of the images; None: all. Others stay clean.
            begin: where it begins, all images; None: where the attack itself does.
        """
        chosen, every = self.plan.settings, list(range(len(self.ids))) if rows is None else list(rows)
        index = torch.tensor(every, device=self._masks.device)
        more: dict[str, Any] = {"stop": False} if way.attack == SEARCH else {}  # it would stop at an IoU of one half
        if begin is not None:
            more["begin"] = {name: begin[name][index] for name in self.radii}
        result: Result = ATTACKS[way.attack].load()(
            self._problem(chain, way, every), {name: value[index] for name, value in self.clean.items()},
            {name: budget.select(index) for name, budget in self._piece.threat(self.radii).items()},
            **self._parameters(way, chain), **more, seed=chosen.seed, precision=chosen.dtype,
            sample_ids=[self.ids[row] for row in every],
            eot=self._choice.expectation * way.draws if chain.random and way.attack != SEARCH else chosen.eot,
        )  # fmt: skip
        whole = {name: value.index_copy(0, index, result.inputs[name].to(value)) for name, value in self.clean.items()}
        return self._saved(replace(result, inputs=whole)), result

    def _parameters(self, way: Way, chain: Chain) -> dict[str, Any]:
        """The run's settings where the attack takes them, over its own defaults, and the way's over both.

        Behind a random defence the last point is kept: the best by few draws is the luckiest.
        """
        takes, run = ATTACKS[way.attack].parameters(), self.plan.parameters
        own = way.attack == self.plan.settings.attack
        kept = {name: value for name, value in run.items() if own or name in ("steps", "step_size")}
        if "steps" in takes and kept.get("steps") is not None:
            kept["steps"] = max(kept["steps"] * way.times, way.least)
        if way.stride is not None and self.plan.norm in _STRIDES:
            kept["step_size"] = {name: way.stride * eps for name, eps in self.radii.items()}
        if chain.random:
            kept["keep"] = "last"
        if way.attack == SEARCH:
            kept |= {"queries": self._choice.queries, "score": "objective"}
        kept = {name: value for name, value in kept.items() if name in takes}
        return own_parameters(way.attack, {**kept, **way.settings})

    def _problem(self, chain: Chain, way: Way, rows: Sequence[int]) -> Ranked:
        """What the attack raises, behind the defence."""
        own, masks = self.plan.settings, self._masks[list(rows)]
        seen = bent(chain) if way.gradient == "identity" else chain
        front = Front(self._piece.model, seen, [self.ids[row] for row in rows], way.name)
        settings: dict[str, Any] = {"objective": way.objective or own.objective, "success": self.plan.success,
                                    "sharp": way.sharp}  # fmt: skip
        if way.goal != "untargeted":
            settings |= {"goal": "paint", "target": torch.full_like(masks, float(way.goal == "fill"))}
        if way.gate is not None:
            return Gated(front, masks, shut=way.gate == "shut", **settings)
        if way.world is not None:
            return World(front, masks, way.world, **settings)
        if way.quiet is not None:
            return Quiet(front, masks, way.quiet, **settings)
        return Ranked(front, masks, **settings)

    def _saved(self, result: Result) -> dict[str, Tensor]:
        return self._piece.through_files(result, self.radii, MemoryStore(), keep=False)


def _nobody(done: int, total: int) -> None:
    """Is told of the passes."""
