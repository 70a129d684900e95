"""The problem of anything that gives one number per sample."""

from collections.abc import Callable
from typing import Self

from torch import Tensor, nn

from rgbdsod.attacks.partial import OnModel, whole
from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs


class ScoreProblem(OnModel):
    """Raise a score; a sample is fooled where it exceeds a threshold.

    Args:
        score: takes the mapping of inputs and returns (B,).
        threshold: from where on a sample counts as fooled.
        inputs: the inputs' names.
        modules: what to hold in eval mode where `score` is not itself a module.

    Example:
        >>> import torch
        >>> from rgbdsod.attacks import Budget, ScoreProblem, perturb
        >>> darker = ScoreProblem(lambda x: -x["image"].mean((1, 2, 3)), inputs=("image",))
        >>> result = perturb(darker, {"image": torch.full((1, 3, 4, 4), 0.5)}, {"image": Budget(eps=0.25)}, steps=4)
        >>> round(result.loss.item(), 3)
        -0.25
    """

    def __init__(
        self,
        score: Callable[[Inputs], Tensor],
        *,
        threshold: float = 0.0,
        inputs: tuple[str, ...] | None = None,
        modules: tuple[nn.Module, ...] | None = None,
    ) -> None:
        super().__init__(whole(score, inputs, modules))
        self._threshold = threshold

    def forward(self, inputs: Inputs) -> Tensor:
        """The scores (B,)."""
        scores: Tensor = self._model(inputs)
        return scores

    def loss(self, outputs: Tensor, progress: float = 0.0) -> Tensor:
        """The scores."""
        return outputs

    def track(self, outputs: Tensor) -> Tensor | None:
        """The loss ranks."""
        return None

    def fooled(self, outputs: Tensor) -> Tensor:
        """Whether the threshold is exceeded, bool (B,)."""
        return outputs > self._threshold

    def margins(self, outputs: Tensor) -> Tensor:
        """What is missing to the threshold, (B,1)."""
        return (self._threshold - outputs)[:, None]

    def exits(self, outputs: Tensor) -> Tensor:
        """What is missing to the threshold, (B,1)."""
        return self.margins(outputs)

    def raising(self, objective: str) -> Self:
        """Refused: a score is its own objective."""
        raise UsageError(f'{self.name} gives one score per sample, which cannot be raised by objective "{objective}"')

    def select(self, index: Tensor) -> Self:
        """The problem for some of the samples."""
        return self._rows(index)
