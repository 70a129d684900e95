"""All health checks of one attack on some samples."""

from collections.abc import Mapping
from typing import Any, Unpack

from rgbdsod.attacks.budget import Threat
from rgbdsod.attacks.checks import effort, gradients, rivals
from rgbdsod.attacks.checks.check import Check, Patient
from rgbdsod.attacks.core import Common
from rgbdsod.attacks.measure import audit
from rgbdsod.attacks.problem import Problem
from rgbdsod.attacks.result import Result
from rgbdsod.attacks.rows import AttackRow
from rgbdsod.attacks.table import ATTACKS
from rgbdsod.errors import CheckError, UsageError
from rgbdsod.types import Inputs


def health(
    problem: Problem,
    inputs: Inputs,
    threat: Threat,
    *,
    attack: str = "pgd",
    settings: Mapping[str, Any] | None = None,
    surrogate: Problem | None = None,
    **common: Unpack[Common],
) -> list[Check]:
    """Put an attack beside what must be weaker, equal or stronger, and the model's gradients beside differences.

    An attack with gradients and steps gets all checks: that costs about 15 times the attack. Others get those that
    apply to them.

    Args:
        problem: what is attacked.
        inputs: some samples (B, ...) in [0, 1]; a few are enough.
        threat: budgets by input.
        attack: a name of the table of attacks.
        settings: its own parameters.
        surrogate: another model's problem on the same samples, for the check of transfer.
        common: seed, sample ids, precision.

    Returns:
        The checks, in a fixed order; look at `passed`.

    Raises:
        UsageError: nothing is attacked.

    Source: Carlini et al., "On Evaluating Adversarial Robustness", arXiv 1902.06705; Athalye et al., "Obfuscated
    Gradients Give a False Sense of Security", arXiv 1802.00420.
    """
    if all(budget.empty for budget in threat.values()):
        raise UsageError("no input may change, so there is nothing to check; pass a radius above 0")
    own: dict[str, Any] = {name: value for name, value in common.items() if name in ("seed", "sample_ids", "precision")}
    row = ATTACKS[attack]
    patient = Patient(problem, inputs, threat, row, settings or {}, own)
    result = patient.attack()
    checks = [_inside(result, patient), *gradients.gradients(patient)]
    if row.aim == "nearest":
        return checks
    checks += [rivals.noise(patient, result)]
    if row.knowledge == "white":
        checks += _white(patient, result, row)
    if surrogate is not None:
        checks += [rivals.transfer(patient, result, surrogate)]
    return checks


def _white(patient: Patient, result: Result, row: AttackRow) -> list[Check]:
    """What is expected of attacks with gradients."""
    norms = {budget.norm for budget in patient.threat.values()}
    checks, late = [effort.rises(result.loss - result.start_loss)], effort.late_gain(result)
    if late is not None:
        checks += [effort.converged(late)]
    steps = {**row.parameters(), **patient.settings}.get("steps")
    if isinstance(steps, int) and steps > 1:
        checks += [effort.more_steps(patient, steps, result), effort.iterative(patient, result)]
    if norms <= set(ATTACKS["apgd"].norms):
        checks += effort.wider(patient)
    if norms <= set(ATTACKS["square"].norms):
        checks += [rivals.queries(patient, result)]
    return checks


def _inside(result: Result, patient: Patient) -> Check:
    """The budget, the box, the masks, and what was not to be touched."""
    try:
        audit(result.inputs, patient.inputs, patient.threat)
    except CheckError as problem:
        return Check("the budget holds", False, str(problem), "this is a fault of the attack: report it")
    return Check("the budget holds", True, "radius, range, masks and untouched inputs are as they should be")
