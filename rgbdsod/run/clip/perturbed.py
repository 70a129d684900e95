"""Adversarial images of a zero-shot classifier, as an 8-bit file would hold them."""

from collections.abc import Callable, Sequence

from torch import Tensor

from rgbdsod.attacks import Budget, ClassProblem
from rgbdsod.attacks.quantise import quantise
from rgbdsod.attacks.suites.member import Member
from rgbdsod.attacks.suites.worst import worst_case
from rgbdsod.clip import ZeroShot

LEVELS = 255


def perturbed(
    classifier: ZeroShot,
    images: Tensor,
    labels: Tensor,
    ids: Sequence[str],
    members: Sequence[Member],
    threat: Budget,
    *,
    seed: int = 0,
    callback: Callable[[int, int], None] | None = None,
) -> Tensor:
    """Attack every image to the end, and round the result inside its budget.

    No image leaves early, so that the result is the strongest one of the attack and not the first that fools.

    Args:
        classifier: attacked.
        images: (B,3,H,W) in [0, 1], of 8 bit.
        labels: their classes, int64 (B,).
        ids: on which their random starts depend.
        members: the attack's parts; of several each image keeps the worst.
        threat: the budget.
        seed: of random starts.
        callback: called with (passes done, passes in all).

    Returns:
        (B,3,H,W), of 8 bit.
    """
    if threat.empty:
        return images.clone()
    problem, inputs, budgets = ClassProblem(classifier, labels), {"image": images}, {"image": threat}
    if len(members) == 1:
        common = {"seed": seed, "sample_ids": list(ids), "callback": callback}
        found = members[0].run(problem, inputs, budgets, common).inputs["image"]
    else:
        found = worst_case(
            problem, inputs, budgets, members, until="end", seed=seed, sample_ids=list(ids), callback=callback
        ).inputs["image"]
    return quantise(found, images, threat, LEVELS)
