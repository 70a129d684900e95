"""What an adversarial pair measures, for instance after it was saved and read back."""

import torch
from torch import Tensor

from rgbdsod.attacks.budget import Budget, Threat
from rgbdsod.attacks.norms import ball, length
from rgbdsod.errors import CheckError
from rgbdsod.types import Inputs

_UNTOUCHED = Budget(eps=0.0)


@torch.no_grad()
def measured(adversarial: Inputs, clean: Inputs, threat: Threat) -> dict[str, Tensor]:
    """The size of each input's change in its budget's norm (Linf for inputs without a budget).

    Args:
        adversarial: by input, (B, ...) in [0, 1].
        clean: the same inputs.
        threat: the budgets.

    Returns:
        By input, (B,).
    """
    changes = {name: adversarial[name].double() - clean[name].double() for name in clean}
    return {name: length(change, threat.get(name, _UNTOUCHED)) for name, change in changes.items()}


@torch.no_grad()
def audit(adversarial: Inputs, clean: Inputs, threat: Threat, *, slack: float = 1e-6) -> dict[str, Tensor]:
    """Measure, and refuse what broke its budget.

    Args:
        adversarial: by input, (B, ...).
        clean: the same inputs.
        threat: the budgets; an input without one must not have changed at all.
        slack: how much more than the radius is rounding.

    Returns:
        The measured radii, as `measured`.

    Raises:
        CheckError: a value outside [0, 1], a change outside a mask, or a radius beyond the budget.
    """
    for name, value in adversarial.items():
        change = value.double() - clean[name].double()
        if name not in threat and bool(change.any()):
            raise CheckError(f'input "{name}" was not to be attacked, but it changed')
        limits = ball(clean[name].double(), threat.get(name, _UNTOUCHED))
        if not bool(((value >= 0) & (value <= 1)).all()):
            raise CheckError(f'adversarial input "{name}" leaves [0, 1]')
        if limits.mask is not None and bool((change * (1 - limits.mask)).any()):
            raise CheckError(f'adversarial input "{name}" changed where its mask forbids it')
        if limits.budget.norm == "linf":
            excess = change.abs() - limits.radius
        else:
            excess = length(change, limits.budget) - limits.radius.flatten() * (1 + slack)
        if float(excess.max()) > slack:
            raise CheckError(f'adversarial input "{name}" is {float(excess.max()):.3g} beyond its radius')
    return measured(adversarial, clean, threat)
