"""What a patch wants of a saliency map. All of it is measured away from the patch, but `self`."""

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor
from torch.nn.functional import softplus

_FLAT = 0.1  # weight of the spread: maps that are stretched to [0, 1] bring a dim object back
_STAY = 0.5  # weight of the object that is to stay beside a ghost


class View(NamedTuple):
    """A prediction beside what is known of the picture.

    Args:
        logits: (B,1,H,W).
        objects: where objects are, bool (B,1,H,W).
        mask: where the patch is, bool.
        rest: what counts: away from the patch, bool.
        ghost: where there is neither object nor patch, and one is to be seen, bool.
    """

    logits: Tensor
    objects: Tensor
    mask: Tensor
    rest: Tensor
    ghost: Tensor


def hide(view: View) -> Tensor:
    """The object vanishes, and the map is flat."""
    middle = mean(view.logits, view.rest)
    spread = (mean((view.logits - middle.view(-1, 1, 1, 1)).square(), view.rest) + 1e-12).sqrt()
    return -mean(softplus(view.logits), view.objects & view.rest) - _FLAT * spread


def ghost(view: View) -> Tensor:
    """An object appears where there is none, and the true one stays."""
    return _appears(view) - _STAY * mean(softplus(-view.logits), view.objects & view.rest)


def swap(view: View) -> Tensor:
    """The object vanishes, and one appears where there is none."""
    return hide(view) + _appears(view)


def degrade(view: View) -> Tensor:
    """Cross-entropy, half of it from the object and half from the background."""
    missed = mean(softplus(-view.logits), view.objects & view.rest)
    invented = mean(softplus(view.logits), ~view.objects & view.rest)
    return (missed + invented) / 2


def self(view: View) -> Tensor:
    """The patch itself is salient; a bright sticker rightly is, so compare with control patches."""
    return mean(view.logits, view.mask)


def mean(values: Tensor, where: Tensor) -> Tensor:
    """The mean (B,) over some pixels; 0 where there are none."""
    weight = where.to(values)
    return (values * weight).flatten(1).sum(1) / weight.flatten(1).sum(1).clamp_min(1)


def _appears(view: View) -> Tensor:
    return -mean(softplus(-view.logits), view.ghost)


class Goal(NamedTuple):
    """One aim of a patch.

    Args:
        name: what a user types.
        function: the objective, to be raised.
        summary: one line.
    """

    name: str
    function: Callable[[View], Tensor]
    summary: str


GOALS: dict[str, Goal] = {
    goal.name: goal
    for goal in (
        Goal("hide", hide, "the object vanishes, and the map is flat"),
        Goal("ghost", ghost, "an object appears where there is none, and the true one stays"),
        Goal("swap", swap, "the object vanishes, and one appears where there is none"),
        Goal("degrade", degrade, "cross-entropy, object and background equally heavy"),
        Goal("self", self, "the patch itself is salient"),
    )
}
