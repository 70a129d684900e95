"""What an attack hands back."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, eq=False)
class Result:
    """Adversarial inputs and what they cost, per sample.

    Args:
        inputs: all inputs by name; those that were not attacked are the caller's own tensors.
        start_loss: the tracked value at the first point that the attack looked at, (B,).
        loss: the tracked value at the returned point, (B,). It is the objective, or what the problem ranks points by
            (`Problem.track`); higher is better for the attack. NaN where the attack was told not to look.
        fooled: whether the returned point reaches the attack's aim, bool (B,).
        forward: forward passes spent on each sample, int64 (B,) on the CPU.
        backward: backward passes spent on each sample, int64 (B,) on the CPU.
        steps: steps of one restart.
        trace: the tracked value at every point looked at, (restarts, points, B).
        distance: of the returned point in the budgets' norm, (B,), for attacks that look for the smallest change (with
            several inputs see `rgbdsod.attacks.space.Space`); infinite where they found none, and the input came back
            clean. None for all other attacks.
    """

    inputs: dict[str, Tensor]
    start_loss: Tensor
    loss: Tensor
    fooled: Tensor
    forward: Tensor
    backward: Tensor
    steps: int
    trace: Tensor
    distance: Tensor | None = None

    @property
    def queries(self) -> Tensor:
        """How often the model was asked about each sample, (B,): every forward pass is one query."""
        return self.forward
