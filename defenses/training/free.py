"""Free adversarial training: each backward pass moves the weights and the perturbation."""

from dataclasses import dataclass, field
from functools import partial

from torch import Tensor

from rgbdsod.attacks import Threat
from rgbdsod.attacks.norms import Ball, ball
from rgbdsod.attacks.rules import Ascent
from rgbdsod.defenses.training.protocol import Passes, TrainingStep
from rgbdsod.defenses.training.sources import Sources, both_inputs, check_sources, threats_of_step
from rgbdsod.errors import UsageError


@dataclass(frozen=True)
class FreeTraining:
    """Sees each batch several times in a row; what one backward pass says of the inputs moves them for the next.

    A step costs no more than one of clean training. The perturbation goes on from batch to batch, as far as the images
    before left room for it in [0, 1]; it begins anew where the size of the batch changes. Its steps are of the full
    radius.

    Args:
        threat: budgets by input.
        replays: steps in a row that see one batch; so many fewer different batches are seen.
        sources: "joint", or "alternate": one input for each batch, by turns.

    Raises:
        UsageError: for values out of range, and for "worst", which would cost the passes that this method saves.

    Source: Shafahi et al., "Adversarial Training for Free!", arXiv 1904.12843, algorithm 1.
    """

    threat: Threat = field(default_factory=both_inputs)
    replays: int = 4
    sources: Sources = field(default="joint", kw_only=True, repr=False)

    def __post_init__(self) -> None:
        if self.replays < 1:
            raise UsageError(f"--replays {self.replays} is too few; pass 1 or more, such as 4")
        check_sources(self.sources, self.threat)
        if self.sources == "worst":
            raise UsageError(
                "--adversarial free has one backward pass for all inputs, so it cannot find the worst of them; "
                "pass --modality both or alternate, or --adversarial pgd"
            )

    @property
    def passes(self) -> Passes:
        """Those of clean training."""
        return Passes(1, 1)

    def losses(self, step: TrainingStep) -> Tensor:
        """The training loss at the moved inputs, (B,); its backward pass moves them on."""
        threats = threats_of_step(self.sources, self.threat, step.number // self.replays)
        balls = {name: ball(step.inputs[name], budget) for own in threats for name, budget in own.items()}
        leaves = {}
        for name, own in balls.items():
            change = step.memory.get(name)
            point = own.clean
            if change is not None and change.shape == point.shape:
                point = own.project(point + change)
            leaf = leaves[name] = point.detach().clone().requires_grad_()
            leaf.register_hook(partial(_remember, step.memory, name, own, leaf.detach()))  # type: ignore[no-untyped-call]
        return step.loss(step.outputs({**step.inputs, **leaves}))


def _remember(memory: dict[str, Tensor], name: str, own: Ball, point: Tensor, gradient: Tensor) -> None:
    """A step of the full radius along a gradient that has just arrived; the change is kept for the next step."""
    rule = Ascent({name: own}, {name: own.reach}, 1)
    memory[name] = rule.move({name: point}, {name: gradient})[name] - own.clean
