"""Adversarial training by projected gradient steps: the network learns from inputs moved against its weights."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from rgbdsod.attacks import MapProblem
from rgbdsod.defenses.training.protocol import Passes, TrainingStep
from rgbdsod.defenses.training.sources import InnerSteps
from rgbdsod.types import Inputs, MapModel


@dataclass(frozen=True)
class AdversarialTraining(InnerSteps):
    """Moves training inputs by a few projected gradient steps before the network sees them: PGD-AT.

    Args:
        threat: budgets by input; an input that is not named stays clean.
        steps: gradient steps; each costs a forward and a backward pass beside those of the training step.
        step_size: None: the norm's own.
        objective: what the steps raise, a name of `rgbdsod.attacks.table.MAP_OBJECTIVES`.
        sources: "joint", "alternate" or "worst"; see `InnerSteps`.

    Source: Madry et al., "Towards Deep Learning Models Resistant to Adversarial Attacks", arXiv 1706.06083, equation 2.
    """

    objective: str = "bce"

    @property
    def passes(self) -> Passes:
        """The attack's, and one forward and back."""
        return Passes(self.climbing.forward + 1, self.climbing.backward + 1)

    def losses(self, step: TrainingStep) -> Tensor:
        """The training loss at the moved inputs, (B,)."""
        problem = MapProblem(step.model, step.masks, objective=self.objective)
        return step.loss(step.outputs(self.moved(problem, step)))

    def __call__(
        self, model: MapModel, inputs: Inputs, masks: Tensor, *, seed: int, sample_ids: Sequence[str], number: int = 0
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
        return self.move(problem, inputs, seed=seed, sample_ids=sample_ids, number=number)
