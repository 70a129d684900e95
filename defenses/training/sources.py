"""Which inputs an inner attack moves, and the attack itself: all at once, by turns, or the worst of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import torch
from torch import Tensor

from rgbdsod.attacks import Budget, Problem, Result, Threat, pgd
from rgbdsod.attacks.rules import StepSize
from rgbdsod.defenses.training.protocol import Passes, TrainingStep
from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs

Sources = Literal["joint", "alternate", "worst"]


def both_inputs() -> dict[str, Budget]:
    """8/255 for RGB and for depth."""
    return {"rgb": Budget(), "depth": Budget()}


@dataclass(frozen=True)
class InnerSteps:
    """The projected gradient steps before a step of training.

    Args:
        threat: budgets by input; an input that is not named stays clean.
        steps: gradient steps; each costs a forward and a backward pass.
        step_size: None: the norm's own.
        sources: "joint" moves all named inputs together, "alternate" one of them in each step of the training, by
            turns, and "worst" each alone, of which every sample keeps the one that raised its loss most.

    Raises:
        UsageError: for values out of range, and where there is nothing to choose from.

    Source: of "worst": Kim and Ghosh, "On Single Source Robustness in Deep Fusion Models", arXiv 1906.04691, section
        3.2 (the loss is the largest over single sources); Yang et al., "Defending Multimodal Fusion Models against
        Single-Source Adversaries", CVPR 2021.
    """

    threat: Threat = field(default_factory=both_inputs)
    steps: int = 5
    step_size: StepSize = None
    sources: Sources = field(default="joint", kw_only=True, repr=False)

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise UsageError(f"--steps {self.steps} is too few; pass 1 or more")
        check_sources(self.sources, self.threat)

    @property
    def replays(self) -> int:
        """Every batch is seen once."""
        return 1

    @property
    def climbing(self) -> Passes:
        """What the attack costs: "worst" attacks each input, and looks where each attack ends."""
        worst = self.sources == "worst"
        attacks = len(self.threat) if worst else 1
        return Passes(attacks * (self.steps + worst), attacks * self.steps)

    def move(
        self, problem: Problem, inputs: Inputs, *, seed: int, sample_ids: Sequence[str], number: int = 0
    ) -> dict[str, Tensor]:
        """The moved inputs; the flags of the problem's modules are put back.

        Args:
            problem: what the steps raise.
            inputs: clean, by name, (B,C,H,W) in [0, 1].
            seed: of the random starts; sample_ids: one per sample.
            number: of the training step, which decides whose turn it is.
        """
        threats = threats_of_step(self.sources, self.threat, number)
        if not threats:
            return dict(inputs)
        # The training step looks at the last point anyway, so an attack without rivals need not.
        results = [
            pgd(
                problem,
                inputs,
                threat,
                steps=self.steps,
                step_size=self.step_size,
                keep="unseen" if len(threats) == 1 else "best",
                seed=seed,
                sample_ids=sample_ids,
            )
            for threat in threats
        ]
        return worst_of(results)

    def moved(self, problem: Problem, step: TrainingStep) -> dict[str, Tensor]:
        """The moved inputs of a training step."""
        return self.move(problem, step.inputs, seed=step.seed, sample_ids=step.sample_ids, number=step.number)


def check_sources(sources: str, threat: Threat) -> None:
    """Refuse a choice among inputs that is none.

    Raises:
        UsageError: unknown, or "alternate" or "worst" over a single input.
    """
    if sources not in get_args(Sources):
        raise UsageError(f'no sources "{sources}"; they are {", ".join(get_args(Sources))}')
    if sources != "joint" and len(threat) < 2:
        named = ", ".join(threat) or "none"
        raise UsageError(
            f"--modality {sources} chooses between two inputs or more, and only {named} is attacked; "
            f"pass --modality {named}"
        )


def threats_of_step(sources: str, threat: Threat, number: int) -> list[Threat]:
    """The threats to try in a training step, without empty budgets: one, or one for each input of "worst"."""
    if sources == "joint":
        tried: list[Threat] = [threat]
    else:
        alone: list[Threat] = [{name: budget} for name, budget in threat.items()]
        tried = alone if sources == "worst" else [alone[number % len(alone)]]
    able = [{name: budget for name, budget in own.items() if not budget.empty} for own in tried]
    return [own for own in able if own]


def worst_of(results: Sequence[Result]) -> dict[str, Tensor]:
    """For each sample the inputs of the attack that ended highest."""
    if len(results) == 1:
        return results[0].inputs
    chosen = torch.stack([result.loss for result in results]).argmax(0)
    inputs = dict(results[0].inputs)
    for place, result in enumerate(results[1:], start=1):
        mine = (chosen == place).view(-1, 1, 1, 1)
        inputs = {name: torch.where(mine, result.inputs[name], value) for name, value in inputs.items()}
    return inputs
