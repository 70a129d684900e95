"""The problem of a model that scores classes: leave the true class, or reach a target class."""

from typing import Any, Self

import torch
from torch import Tensor, nn

from rgbdsod.attacks.partial import Forward, OnModel, whole
from rgbdsod.attacks.scores import Scores
from rgbdsod.attacks.table import CLASS_OBJECTIVES
from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs


class ClassProblem(OnModel):
    """A classifier and the labels that an attack leaves or reaches.

    Args:
        forward: takes the mapping of inputs and returns logits (B,K).
        labels: the true classes (B,), or with `targeted` the classes to reach.
        objective: a name of `rgbdsod.attacks.table.CLASS_OBJECTIVES`.
        targeted: whether `labels` are targets.
        truth: the true classes (B,) of a targeted attack, for objective "dlr".
        inputs: the inputs' names.
        modules: what to hold in eval mode where `forward` is not itself a module.
        most: samples that the model takes at once; attacks that hold more of them pass them through in turn. Those
            that look for the smallest change keep the graphs of all. None: any number.

    Raises:
        UsageError: unknown objective; labels that are no class numbers; a target that is the true class.
    """

    kind = "classes"

    def __init__(
        self,
        forward: Forward,
        labels: Tensor,
        *,
        objective: str = "ce",
        targeted: bool = False,
        truth: Tensor | None = None,
        inputs: tuple[str, ...] = ("image",),
        modules: tuple[nn.Module, ...] | None = None,
        most: int | None = None,
    ) -> None:
        super().__init__(whole(forward, inputs, modules))
        self.most = most
        if labels.ndim != 1 or labels.is_floating_point() or bool((labels < 0).any()):
            raise UsageError(
                f"labels of shape {tuple(labels.shape)}, {labels.dtype}; pass class numbers (B,), from 0 on"
            )
        self._objective = CLASS_OBJECTIVES[objective].load()
        if targeted and truth is not None and bool((labels == truth).any()):
            raise UsageError("a target is the true class itself; pass another class to reach")
        self._labels, self._truth, self._targeted = labels, truth, targeted
        self._highest = int(labels.max()) if len(labels) else -1
        self._ranking: Tensor | None = None
        self._rival: Tensor | None = None

    def forward(self, inputs: Inputs) -> Tensor:
        """Logits (B,K), at least float32.

        Raises:
            UsageError: the model does not score classes, or knows only one: the cross-entropy of a single score is 0
                whatever the input, and the clean input would come back as the "adversarial" one.
        """
        logits = self._logits(inputs)
        if not isinstance(logits, Tensor) or logits.ndim != 2:
            found = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
            raise UsageError(f"{self.name} returned {found}, expected class scores (B,K); for maps use MapProblem")
        if logits.shape[1] < 2:
            raise UsageError(f"{self.name} has one score per sample, expected 2 classes or more; use ScoreProblem")
        if self._highest >= logits.shape[1]:
            raise UsageError(f"a label is {self._highest}, but {self.name} has {logits.shape[1]} classes, from 0 on")
        return logits if logits.dtype == torch.float64 else logits.float()

    def _logits(self, inputs: Inputs) -> Any:
        """What the model returns; of more samples than it takes at once in turn, where no graph ties them together."""
        first = next(iter(inputs.values()), None)
        if self.most is None or first is None or len(first) <= self.most or torch.is_grad_enabled():
            return self._model(inputs)
        shares = torch.split(torch.arange(len(first), device=first.device), self.most)
        return torch.cat(
            [self._model.select(rows)({name: value[rows] for name, value in inputs.items()}) for rows in shares]
        )

    def loss(self, outputs: Tensor, progress: float = 0.0) -> Tensor:
        """The objective, (B,)."""
        if self._rival is None:
            scores = Scores(outputs, self._labels, self._targeted, self._truth)
        else:
            scores = Scores(outputs, self._rival, targeted=True, truth=self._labels)
        loss: Tensor = self._objective(scores)
        return loss

    def track(self, outputs: Tensor) -> Tensor | None:
        """The loss ranks."""
        return None

    def fooled(self, outputs: Tensor) -> Tensor:
        """Whether the predicted class is another one, or the target, bool (B,)."""
        return (outputs.argmax(1) == self._labels) == self._targeted

    def margins(self, outputs: Tensor) -> Tensor:
        """The label's logit minus each class's (B,K), infinite at the label itself; with a target, minus all that."""
        label = self._labels[:, None]
        gap = (outputs.gather(1, label) - outputs).scatter(1, label, float("inf"))
        return -gap if self._targeted else gap

    def exits(self, outputs: Tensor) -> Tensor:
        """The margin to each other class (B,K), or with a target what the target's logit lacks (B,1)."""
        margins = self.margins(outputs)
        return margins.amax(1, keepdim=True) if self._targeted else margins

    def sides(self, outputs: Tensor) -> tuple[Tensor, Tensor]:
        """The logit of the target, or of the strongest other class, and the sum of all the rest."""
        wanted = self._labels[:, None] if self._targeted else self._rivals(outputs, 1)
        rising = outputs.gather(1, wanted)[:, 0]
        return rising, outputs.sum(1) - rising

    def raising(self, objective: str) -> Self:
        """The problem with another objective."""
        return self._with(_objective=CLASS_OBJECTIVES[objective].load())

    def ranked(self, outputs: Tensor, most: int) -> Self:
        """The same problem, which knows the strongest other classes of these outputs, for `against`."""
        return self._with(_ranking=self._rivals(outputs, most))

    def against(self, rank: int) -> Self:
        """The same problem, fooled by the same outputs, whose loss leads to one class for each sample.

        Args:
            rank: of the class among those of `ranked`, 0 the strongest.

        Raises:
            UsageError: the problem has a target of its own, or has not ranked so many.
        """
        if self._targeted:
            raise UsageError("a problem with a target leads to that class alone")
        if self._ranking is None or not rank < self._ranking.shape[1]:
            raise UsageError(f"no class of rank {rank}; call ranked(outputs, most) with a larger number first")
        return self._with(_rival=self._ranking[:, rank])

    def _rivals(self, outputs: Tensor, most: int) -> Tensor:
        """The strongest other classes (B, R), R at most `most`, the strongest first."""
        others = outputs.scatter(1, self._labels[:, None], -torch.inf)
        return others.topk(min(most, outputs.shape[1] - 1), 1).indices

    def select(self, index: Tensor) -> Self:
        """The problem for some of the samples."""
        return self._rows(index, "_labels", "_truth", "_ranking", "_rival")
