"""Adversarial training: the network learns from inputs that were moved against its current weights."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from rgbdsod.attacks import Budget, MapProblem, Threat, pgd
from rgbdsod.types import Inputs, MapModel


@dataclass(frozen=True)
class AdversarialTraining:
    """Moves training inputs by a few projected gradient steps before the network sees them.

    Args:
        threat: budgets by input; an input that is not named stays clean.
        steps: gradient steps; each costs a forward and a backward pass beside those of the training step.
        step_size: None: the norm's own.
        objective: what the steps raise, a name of `rgbdsod.attacks.table.MAP_OBJECTIVES`.

    Source: Madry et al., "Towards Deep Learning Models Resistant to Adversarial Attacks", arXiv 1706.06083, equation 2.
    """

    threat: Threat = field(default_factory=lambda: {"rgb": Budget(), "depth": Budget()})
    steps: int = 5
    step_size: float | Mapping[str, float] | None = None
    objective: str = "bce"

    def __call__(
        self, model: MapModel, inputs: Inputs, masks: Tensor, *, seed: int, sample_ids: Sequence[str]
    ) -> dict[str, Tensor]:
        """The moved inputs; the model's flags are put back.

        Args:
            model: the network in training.
            inputs: by name, (B,C,H,W) in [0, 1].
            masks: ground truth (B,1,H,W) in [0, 1].
            seed: of the random starts.
            sample_ids: one id per sample, on which its random start depends.
        """
        problem = MapProblem(model, masks, objective=self.objective)
        # The training step looks at the last point anyway, so the attack need not.
        result = pgd(
            problem,
            inputs,
            self.threat,
            steps=self.steps,
            step_size=self.step_size,
            keep="unseen",
            seed=seed,
            sample_ids=sample_ids,
        )
        return result.inputs
