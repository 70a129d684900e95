"""TRADES: the clean loss, and how far an attack moves the map from the clean one."""

from dataclasses import dataclass

from torch import Tensor

from rgbdsod.defenses.training.divergence import FromClean, bernoulli_kl, clean_logits
from rgbdsod.defenses.training.protocol import Passes, TrainingStep
from rgbdsod.defenses.training.sources import InnerSteps
from rgbdsod.errors import UsageError


@dataclass(frozen=True)
class Trades(InnerSteps):
    """The training loss at the clean inputs plus `beta` times the divergence of the attacked map from the clean one.

    The divergence is that of each pixel's Bernoulli distributions, on the final map alone. The attack raises it from a
    random start, since at the clean inputs its gradient is 0.

    Args:
        threat: budgets by input.
        steps: gradient steps.
        step_size: None: the norm's own.
        beta: weight of the divergence; 0 is clean training.
        sources: "joint", "alternate" or "worst"; see `InnerSteps`.

    Raises:
        UsageError: beta is negative.

    Source: Zhang et al., "Theoretically Principled Trade-off between Robustness and Accuracy", arXiv 1901.08573,
        equation 5; beta is their 1/lambda, and their random start is a smaller one.
    """

    beta: float = 6.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.beta < float("inf"):
            raise UsageError(f"--beta {self.beta:g}: a weight of 0 or more, such as 6")

    @property
    def passes(self) -> Passes:
        """The attack's, its clean map, and one forward and back at the clean and at the attacked inputs."""
        if not self.beta:
            return Passes(1, 1)
        return Passes(self.climbing.forward + 3, self.climbing.backward + 2)

    def losses(self, step: TrainingStep) -> Tensor:
        """Clean loss and weighted divergence, (B,)."""
        if not self.beta:
            return step.loss(step.outputs(step.inputs))
        size = (step.masks.shape[-2], step.masks.shape[-1])
        moved = self.moved(FromClean(step.model, clean_logits(step.model, step.inputs, size)), step)
        clean, attacked = step.outputs(step.inputs), step.outputs(moved)
        loss, divergence = step.loss(clean), bernoulli_kl(step.logits(clean), step.logits(attacked))
        step.seen.update(clean=loss.detach().mean(), divergence=divergence.detach().mean())
        return loss + self.beta * divergence
