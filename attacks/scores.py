"""Objectives on class scores: each takes logits (B,K) beside the labels and returns (B,), to be raised."""

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import cross_entropy

from rgbdsod.errors import UsageError

KAPPA = 50.0
"""How far behind the best other logit the label's is driven, in `cw_margin`."""


@dataclass(frozen=True, eq=False)
class Scores:
    """Class scores beside the labels.

    Args:
        logits: (B,K).
        labels: the class to leave, or with `targeted` the class to reach, (B,).
        targeted: which of the two.
        truth: the true class of a targeted attack, (B,); only DLR asks for it.
    """

    logits: Tensor
    labels: Tensor
    targeted: bool = False
    truth: Tensor | None = None

    def of(self, labels: Tensor) -> Tensor:
        """The logits (B,) of the labelled classes."""
        return self.logits.gather(1, labels[:, None])[:, 0]

    def best_other(self) -> Tensor:
        """The largest logit (B,) but the label's, which becomes minus infinity: all the others may be negative."""
        return self.logits.scatter(1, self.labels[:, None], float("-inf")).amax(1)


def ce(scores: Scores) -> Tensor:
    """Cross-entropy to the label; minus that to the target."""
    loss = cross_entropy(scores.logits, scores.labels, reduction="none")
    return -loss if scores.targeted else loss


def margin(scores: Scores) -> Tensor:
    """The best other logit minus the label's; the other way round towards a target.

    Source: Carlini and Wagner, "Towards Evaluating the Robustness of Neural Networks", arXiv 1608.04644, f6.
    """
    gap = scores.best_other() - scores.of(scores.labels)
    return -gap if scores.targeted else gap


def cw_margin(scores: Scores) -> Tensor:
    """The margin, as long as the label's logit is less than 50 behind the best other: `-relu(-margin + 50)`.

    Source: the "CW" attack of the zero-shot evaluations of TeCoA (arXiv 2212.07016) and TGA-ZSR (arXiv 2410.21802),
    with their kappa of 50 on scaled logits; the objective is Carlini and Wagner's f6, arXiv 1608.04644.
    """
    return -(KAPPA - margin(scores)).relu()


def dlr(scores: Scores) -> Tensor:
    """Difference of logits ratio, blind to a shift or a positive scaling of the logits.

    Of two logits it would be constant: there the margin is divided by their root mean square, blind to scaling alone.

    Raises:
        UsageError: fewer than 4 classes with a target, or a target without the true class.

    Source: Croce and Hein, "Reliable evaluation of adversarial robustness", arXiv 2003.01690, equations 6 and 7.
    """
    if scores.logits.shape[1] == 2 and not scores.targeted:
        return margin(scores) / scores.logits.square().mean(1).sqrt().clamp_min(1e-12)
    needed = 4 if scores.targeted else 3
    if scores.logits.shape[1] < needed:
        classes = scores.logits.shape[1]
        raise UsageError(f"a targeted dlr needs 4 classes or more, the model has {classes}; use objective margin")
    ranked = scores.logits.topk(needed, dim=1).values
    if not scores.targeted:
        return margin(scores) / (ranked[:, 0] - ranked[:, 2]).clamp_min(1e-12)
    if scores.truth is None:
        raise UsageError("a targeted dlr compares the target with the true class; pass truth=LABELS as well")
    gap = scores.of(scores.labels) - scores.of(scores.truth)
    return gap / (ranked[:, 0] - ranked[:, 2:].mean(1)).clamp_min(1e-12)
