"""What attacks on a defended network raise; each ranks its points by what the verdict measures."""

from typing import Any, Self

import torch
from torch import Tensor

from rgbdsod.attacks import MapProblem
from rgbdsod.run.defense.front import Decided, Front, Seen
from rgbdsod.types import Inputs

_TIE = 1e-3
"""Weight of the mean error beside the IoU: it ranks points of equal IoU."""
_MARGIN = 0.2
"""How firmly a switch is to decide, in units of its own sharpness: files are rounded."""


class Ranked(MapProblem):
    """A network behind a defence, away from the truth; of its points the one of the lowest IoU is kept.

    Args:
        front: the network behind the defence.
        masks: ground truth (B,1,H,W).
        sharp: what the objective's logits are multiplied by.
        settings: of `MapProblem`.
    """

    def __init__(self, front: Front, masks: Tensor, *, sharp: float = 1.0, **settings: Any) -> None:
        super().__init__(front, masks, **settings)
        self._front, self._sharp = front, sharp
        self._size = (int(masks.shape[-2]), int(masks.shape[-1]))
        self._fixed: dict[str, Tensor] = {}

    def loss(self, outputs: Any, progress: float = 0.0) -> Tensor:
        """The objective of the sharpened logits, (B,)."""
        return super().loss(self._sharp * outputs, progress)

    def track(self, outputs: Any) -> Tensor:
        """One minus the IoU of the map cut at one half, (B,)."""
        logits, truth = self.verdict_on(outputs), self.objects
        seen = logits > 0
        either = (seen | truth).flatten(1).sum(1)
        iou = torch.where(either > 0, (seen & truth).flatten(1).sum(1) / either.clamp_min(1), 1.0)
        return 1 - iou + _TIE * (logits.sigmoid() - truth.to(logits)).abs().flatten(1).mean(1)

    def fooled(self, outputs: Any) -> Tensor:
        """Whether the success rule holds, bool (B,)."""
        return super().fooled(self.verdict_on(outputs))

    def verdict_on(self, outputs: Any) -> Tensor:
        """The logits (B,1,H,W) behind the true defence."""
        found: Tensor = outputs
        return found

    def given(self, fixed: Inputs) -> Self:
        """The problem with some inputs filled in."""
        return super().given(fixed)._with(_fixed={**self._fixed, **fixed})

    def select(self, index: Tensor) -> Self:
        """The problem for some of the samples."""
        fixed = {name: value[index] for name, value in self._fixed.items()}
        return super().select(index)._with(_front=self._front.select(index), _fixed=fixed)


class Quiet(Ranked):
    """For an attack that also keeps the defence's score low: its loss is the problem's less `weight` times the score.

    Args:
        front: the network behind the defence.
        masks: ground truth (B,1,H,W).
        weight: of the score.
        settings: of `MapProblem`.

    Source: Carlini and Wagner, "Adversarial Examples Are Not Easily Detected", arXiv 1705.07263; Tramer et al., arXiv
        2002.08347.
    """

    def __init__(self, front: Front, masks: Tensor, weight: float, **settings: Any) -> None:
        super().__init__(front, masks, **settings)
        self._weight = weight

    def forward(self, inputs: Inputs) -> Seen:  # type: ignore[override]  # outputs are the problem's own affair
        """Logits and score."""
        return self._front.watched({**self._fixed, **inputs}, self._size)

    def loss(self, outputs: Seen, progress: float = 0.0) -> Tensor:  # type: ignore[override]
        """The objective less the weighted score, (B,)."""
        return super().loss(outputs.logits, progress) - self._weight * outputs.score

    def verdict_on(self, outputs: Seen) -> Tensor:
        """The logits."""
        return outputs.logits


class World(Ranked):
    """For an attack that wants a switch to decide in one way, and harms the network that is left then.

    While the switch decides otherwise the loss is how firmly it does, so that each step first brings it over; then the
    loss is the objective of the network in that world: undisturbed, or without the input that is dropped, be it the
    attacked one or the one that nobody touched.

    Args:
        front: the network behind the defence.
        masks: ground truth (B,1,H,W).
        dropped: the input that is to be dropped; "nothing".
        settings: of `MapProblem`.

    Source: steps that serve either the detector or the network, never both: Bryniarski et al., "Evading Adversarial
        Example Detection Defenses with Orthogonal Projected Gradient Descent", arXiv 2106.15023, section 4.1.
    """

    def __init__(self, front: Front, masks: Tensor, dropped: str, **settings: Any) -> None:
        super().__init__(front, masks, **settings)
        self._dropped = dropped

    def forward(self, inputs: Inputs) -> Decided:  # type: ignore[override]
        """The maps in that world and in the true one, and how far the switch is from deciding so."""
        return self._front.decided({**self._fixed, **inputs}, self._size, self._dropped)

    def loss(self, outputs: Decided, progress: float = 0.0) -> Tensor:  # type: ignore[override]
        """The objective where the switch decides as it is to, (B,)."""
        return _served(outputs, super().loss(outputs.logits, progress))

    def verdict_on(self, outputs: Decided) -> Tensor:
        """The logits that the switch really leaves."""
        return outputs.true


class Gated(Ranked):
    """For an attack that wants a switch inside the network to decide in one way, as `World` is for one before it.

    Args:
        front: the network behind the defence.
        masks: ground truth (B,1,H,W).
        shut: whether depth is to be dropped.
        settings: of `MapProblem`.
    """

    def __init__(self, front: Front, masks: Tensor, *, shut: bool, **settings: Any) -> None:
        super().__init__(front, masks, **settings)
        self._shut = shut

    def forward(self, inputs: Inputs) -> Decided:  # type: ignore[override]
        """The maps, and how far the switch is from deciding so."""
        return self._front.at_gate({**self._fixed, **inputs}, self._size, shut=self._shut)

    def loss(self, outputs: Decided, progress: float = 0.0) -> Tensor:  # type: ignore[override]
        """The objective where the switch decides as it is to, (B,)."""
        return _served(outputs, super().loss(outputs.logits, progress))

    def verdict_on(self, outputs: Decided) -> Tensor:
        """The logits."""
        return outputs.true


def _served(outputs: Decided, objective: Tensor) -> Tensor:
    """The objective where a switch decides as it is to, else how firmly it does not, (B,)."""
    return torch.where(outputs.distance < -_MARGIN, objective, -outputs.distance)
