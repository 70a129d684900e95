"""All attacks on a batch behind one defence, and for each image the worst."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from rgbdsod.defenses import Chain
from rgbdsod.run.defense.aware.attacker import Attacker
from rgbdsod.run.defense.aware.standing import Standing
from rgbdsod.run.defense.aware.table import plan
from rgbdsod.run.defense.aware.way import Way
from rgbdsod.run.defense.choice import DefenseChoice
from rgbdsod.run.defense.verdict import Judge, Verdict
from rgbdsod.types import Inputs

UNAWARE = "transfer"
"""The attack on the undefended network, as one of those that an aware attacker has too."""

_RIVALRY = "rivalry"


@dataclass(eq=False)
class Campaign:
    """The attacks on a batch behind one defence.

    An image that stands at 0 is not attacked again. What there is already costs a look: the clean image, noise, and the
    worst images behind other defences. Attacks are compared by draws of a random defence that the verdict
    on the worst of them does not use: the luckiest of many would look stronger than it is.

    Args:
        attacker: the images.
        chain: the defence.
        choice: which attacks there are.
        judge: says how images stand.
        unaware: the images under the attack that does not know the defence.
        others: images of the same budget that may be worse, by name.

    Attributes:
        worst: of all attacks.
        alone: of those that knew the defence from their start on; of images that needed none, the unaware one.
        passes: forward and backward passes spent on each image, (B,).
        first: what the plan's first attack left, by image.
    """

    attacker: Attacker
    chain: Chain
    choice: DefenseChoice
    judge: Judge
    unaware: Inputs
    others: Mapping[str, Inputs] = field(default_factory=dict)
    worst: Standing = field(init=False)
    alone: Standing = field(init=False)
    passes: Tensor = field(init=False)
    first: dict[int, Verdict] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        rows = range(len(self.attacker.ids))
        verdicts = self._rivals(self.unaware, rows)
        self.worst = Standing.of(UNAWARE, self.unaware, verdicts)
        self.alone = Standing.of("", self.unaware, verdicts)
        for name, inputs in self.others.items():
            self.worst.offer(name, rows, inputs, self._rivals(inputs, rows))
        self.passes = torch.zeros(len(verdicts), dtype=torch.int64)

    @property
    def ways(self) -> list[Way]:
        """The defence's plan."""
        return plan(self.chain, self.attacker.plan, self.choice, gated=self.attacker.gated)

    def run(self, advance: Callable[[float], None] = lambda done: None) -> None:
        """Every attack of the plan; `advance` takes the share that is done."""
        ways = self.ways
        for turn, way in enumerate(ways):
            rows = [row for row, verdict in enumerate(self.worst.verdicts) if verdict.iou > 0]
            if rows:
                self._attack(way, rows)
            advance((turn + 1) / len(ways))

    def verdicts(self, standing: Standing) -> list[Verdict]:
        """How the images stand, by draws that chose nothing."""
        return self.judge(self.chain, standing.inputs) if self.chain.random else standing.verdicts

    def longer(self, rows: Sequence[int]) -> list[float]:
        """How much better some images stand under twice the steps of the plan's first attack."""
        inputs, _ = self.attacker.through(self.chain, self.ways[0].longer(2), rows)
        after = self._rivals(inputs, rows)
        return [late.iou - self.first.get(row, late).iou for row, late in zip(rows, after, strict=True)]

    def _attack(self, way: Way, rows: Sequence[int]) -> None:
        begin = self.worst.inputs if way.start == "worst" else None
        inputs, result = self.attacker.through(self.chain, way, rows, begin)
        self.passes[list(rows)] += (result.forward + result.backward).cpu()
        verdicts = self._rivals(inputs, rows)
        self.first = self.first or dict(zip(rows, verdicts, strict=True))
        self.worst.offer(way.name, rows, inputs, verdicts)
        if way.start == "cold":
            self.alone.offer(way.name, rows, inputs, verdicts)

    def _rivals(self, inputs: Inputs, rows: Sequence[int]) -> list[Verdict]:
        return self.judge(self.chain, inputs, rows, purpose=_RIVALRY)
