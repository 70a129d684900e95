"""Fast adversarial training: one step from a random start, and a look at whether the network has learned just that."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from torch import Tensor

from rgbdsod.attacks import MapProblem, Threat, perturb
from rgbdsod.attacks.core import Start, at_clean, at_random
from rgbdsod.attacks.rules import StepSize
from rgbdsod.defenses.training.pgd import AdversarialTraining
from rgbdsod.defenses.training.protocol import Passes, TrainingStep
from rgbdsod.defenses.training.sources import Sources, both_inputs, check_sources
from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs, MapModel

_WATCH_STEPS = 10


@dataclass(frozen=True)
class FastTraining:
    """Moves training inputs by one step of `alpha` radii from a random start.

    A network may learn to stop this one step and nothing else (catastrophic overfitting); `watch` shows it.

    Args:
        threat: budgets by input.
        alpha: length of the step, in radii.
        objective: what the step raises, a name of `rgbdsod.attacks.table.MAP_OBJECTIVES`.
        sources: "joint", "alternate" or "worst"; see `InnerSteps`.

    Raises:
        UsageError: alpha is not above 0.

    Source: Wong et al., "Fast is better than free", arXiv 2001.03994, algorithm 3 and section 5.
    """

    threat: Threat = field(default_factory=both_inputs)
    alpha: float = 1.25
    objective: str = "bce"
    sources: Sources = field(default="joint", kw_only=True, repr=False)

    def __post_init__(self) -> None:
        if not 0 < self.alpha < float("inf"):
            raise UsageError(f"--alpha {self.alpha:g} does not move; pass radii above 0, such as 1.25")
        check_sources(self.sources, self.threat)

    @property
    def replays(self) -> int:
        """Every batch is seen once."""
        return 1

    @property
    def attack(self) -> AdversarialTraining:
        """The same as PGD of one step."""
        size = {name: self.alpha * budget.eps for name, budget in self.threat.items()}
        return AdversarialTraining(self.threat, 1, size, self.objective, sources=self.sources)

    @property
    def passes(self) -> Passes:
        """Those of PGD of one step."""
        return self.attack.passes

    def losses(self, step: TrainingStep) -> Tensor:
        """The training loss at the moved inputs, (B,)."""
        return self.attack.losses(step)

    def watch(self, model: MapModel, inputs: Inputs, masks: Tensor, *, sample_ids: Sequence[str]) -> dict[str, float]:
        """What the objective is on clean inputs, after the step that is trained against, and after PGD of 10 steps.

        Args:
            model: the network; its flags are put back.
            inputs: of a few validation images, by name, (B,C,H,W) in [0, 1].
            masks: ground truth (B,1,H,W) in [0, 1].
            sample_ids: one id per sample.
        """
        problem = MapProblem(model, masks, objective=self.objective)

        def highest(start: Start, steps: int, step_size: StepSize) -> tuple[float, float]:
            found = perturb(problem, inputs, self.threat, steps=steps, step_size=step_size, start=start, keep="last",
                            attack="watch", sample_ids=sample_ids)  # fmt: skip
            return float(found.trace[0, 0].mean()), float(found.trace[0, -1].mean())

        clean, pgd = highest(at_clean, _WATCH_STEPS, None)
        _, fgsm = highest(at_random, 1, self.attack.step_size)
        return {"watch_clean": clean, "watch_fgsm": fgsm, "watch_pgd": pgd}


def overfitted(now: dict[str, float], before: Sequence[dict[str, float]]) -> str | None:
    """A warning where the one step of the training reaches far less of what PGD reaches than it did.

    Args:
        now: what `FastTraining.watch` said; before: the same of earlier validations.

    Returns:
        One sentence, where the step's gain is below a tenth of PGD's, or below half of the largest share it had.
    """
    share, known = _share(now), max((_share(values) for values in before), default=0.0)
    if share >= max(0.1, known / 2):
        return None
    return (
        f"catastrophic overfitting: one step raises the loss of the validation batch from {now['watch_clean']:.3g} to "
        f"{now['watch_fgsm']:.3g}, {_WATCH_STEPS} steps of PGD to {now['watch_pgd']:.3g}; "
        "lower --alpha or --eps, or use --adversarial pgd"
    )


def _share(values: dict[str, float]) -> float:
    """The gain of one step as a share of PGD's; 1 where PGD gains nothing."""
    step, pgd = (values[name] - values["watch_clean"] for name in ("watch_fgsm", "watch_pgd"))
    return step / pgd if pgd > 0 else 1.0
