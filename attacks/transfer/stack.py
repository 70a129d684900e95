"""All that makes attacks transfer, stacked as one likes: transforms of the inputs, of the gradients, and momentum."""

from typing import Unpack

from rgbdsod.attacks.budget import Threat
from rgbdsod.attacks.core import Common, Estimate, Keep
from rgbdsod.attacks.problem import Problem
from rgbdsod.attacks.result import Result
from rgbdsod.attacks.rules import StepSize
from rgbdsod.attacks.transfer.climb import climb
from rgbdsod.attacks.transfer.diversity import Diverse
from rgbdsod.attacks.transfer.in_turn import InTurn
from rgbdsod.attacks.transfer.scaling import scaled
from rgbdsod.attacks.transfer.smoothing import smoothed
from rgbdsod.attacks.transfer.variance import Tuned
from rgbdsod.types import Inputs


def transfer(
    problem: Problem,
    inputs: Inputs,
    threat: Threat,
    *,
    steps: int = 10,
    step_size: StepSize = None,
    decay: float = 1.0,
    joint: bool = False,
    lookahead: bool = True,
    diversity: float = 0.5,
    smallest: float = 0.9,
    kernel: int | None = None,
    copies: int = 5,
    variance_samples: int = 0,
    spread: float = 1.5,
    keep: Keep = "last",
    **common: Unpack[Common],
) -> Result:
    """Accumulated gradients with any of: look-ahead, input diversity, smoothing, darker copies, variance tuning.

    From the network outwards: darker copies are each shrunk and padded, the mean of their gradients is smoothed, and
    the neighbours' gradients are found in the same way.

    Args:
        problem: what is attacked; with diversity or smoothing its attacked inputs are images.
        inputs: all inputs (B, ...) in [0, 1].
        threat: budgets by input.
        steps: how many.
        step_size: None: the radius over the number of steps.
        decay: what is kept of the accumulated gradient at each step.
        joint: normalise by one mean over all attacked inputs, instead of one for each.
        lookahead: take the gradient where the accumulated one leads (NI).
        diversity: how often a sample is shrunk and padded at a step but the first, 0 to 1 (DI); 0: never.
        smallest: the smallest side then, as a share of the picture's.
        kernel: taps of the Gaussian that smooths gradients, odd (TI); 1: none; None: as for `tifgsm`.
        copies: each half as bright as the one before; the first is the point itself (SI); 1: no others.
        variance_samples: neighbours whose gradients correct the next step's (VMI); 0: none.
        spread: how far they lie, in radii.
        keep: the "best" point on the way or the "last".
        common: see `rgbdsod.attacks.core.Common`.

    Raises:
        UsageError: a parameter outside its range; an attacked input that is no image.

    Source: the papers of `difgsm`, `tifgsm`, `sifgsm` and `vmifgsm`; stacked as in arXiv 2103.15571, section 4.3.
    """
    estimate: Estimate = InTurn(Diverse(diversity, smallest, steps)) if diversity else InTurn()
    estimate = scaled(estimate, copies)
    if kernel != 1:
        estimate = smoothed(estimate, kernel)
    if variance_samples:
        estimate = Tuned(estimate, variance_samples, spread, steps)
    return climb(
        problem,
        inputs,
        threat,
        estimate,
        attack="transfer",
        steps=steps,
        step_size=step_size,
        decay=decay,
        joint=joint,
        lookahead=lookahead,
        keep=keep,
        **common,
    )
