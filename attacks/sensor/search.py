"""The search that the sensor's attacks share: so many random disturbances of one map, each sample keeps its worst."""

from collections.abc import Sequence
from typing import Unpack

from rgbdsod.attacks.budget import Threat
from rgbdsod.attacks.core import Common, Start, perturb
from rgbdsod.attacks.door import check_norms
from rgbdsod.attacks.problem import Problem
from rgbdsod.attacks.result import Result
from rgbdsod.attacks.rows import NORMS
from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs


def worst_of(
    disturb: Start,
    problem: Problem,
    inputs: Inputs,
    threat: Threat,
    *,
    sensor: str,
    draws: int,
    attack: str,
    norms: Sequence[str] = NORMS,
    **common: Unpack[Common],
) -> Result:
    """The worst of some random disturbances of the sensor's map, per sample; all other inputs stay as they are.

    Args:
        disturb: a random disturbance inside a ball.
        problem: what is attacked.
        inputs: all inputs (B, ...) in [0, 1].
        threat: budgets by input; only the sensor's is used.
        sensor: the input that the sensor gives.
        draws: how many disturbances are tried, one forward pass each.
        attack: the attack's name.
        norms: in which it is defined.
        common: see `rgbdsod.attacks.core.Common`.

    Raises:
        UsageError: other inputs are attacked but not the sensor's, it is no map or its norm another one, or there are
            no draws.
    """
    if draws < 1:
        raise UsageError(f"--draws {draws} tries nothing; pass 1 or more")
    attacked = [name for name, budget in threat.items() if not budget.empty]
    if attacked and sensor not in attacked:
        raise UsageError(
            f'attack "{attack}" changes input "{sensor}", but {", ".join(attacked)} may change; '
            f'give {sensor} a radius, or name another input with sensor="{attacked[0]}"'
        )
    if sensor in inputs and inputs[sensor].ndim != 4:
        shape = tuple(inputs[sensor].shape)
        raise UsageError(f'input "{sensor}" has shape {shape}; attack "{attack}" changes maps (B,C,H,W)')
    own = {name: threat[name] for name in attacked if name == sensor}
    check_norms(attack, own, norms)
    return perturb(
        problem, inputs, own, steps=0, restarts=draws, start=disturb, attack=attack, knowledge="score", **common
    )
