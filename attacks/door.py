"""What is checked once, before an attack begins."""

import math
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from rgbdsod.attacks.budget import Threat
from rgbdsod.attacks.problem import Problem
from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs


def check_inputs(problem: Problem, inputs: Inputs, threat: Threat) -> int:
    """Refuse inputs and a threat model that do not fit the problem.

    Returns:
        The number of samples.

    Raises:
        UsageError: an input is missing or unknown, not a float tensor in [0, 1], or of another batch size; the threat
            names an input that the model has not.
    """
    check_modality(threat, problem.inputs, problem.name)
    has = f"{problem.name} has inputs {', '.join(problem.inputs)}"
    if missing := [name for name in problem.inputs if name not in inputs]:
        raise UsageError(f'input "{missing[0]}" is missing; {has}')
    if unknown := [name for name in inputs if name not in problem.inputs]:
        raise UsageError(f'no input "{unknown[0]}"; {has}')
    for name, value in inputs.items():
        check_range(name, value)
    sizes = {name: value.shape[0] for name, value in inputs.items()}
    if len(set(sizes.values())) > 1:
        counts = ", ".join(f"{name} {size}" for name, size in sizes.items())
        raise UsageError(f"inputs have different numbers of samples: {counts}")
    return next(iter(sizes.values()))


def check_modality(names: Sequence[str] | Mapping[str, object], inputs: Sequence[str], model: str) -> None:
    """Refuse to attack an input that the model has not.

    Raises:
        UsageError: so.
    """
    for name in names:
        if name not in inputs:
            raise UsageError(f"--modality {name}: {model} has inputs {', '.join(inputs)}")


def check_norms(attack: str, threat: Threat, norms: Sequence[str]) -> None:
    """Refuse a norm in which an attack is not defined.

    Raises:
        UsageError: so.
    """
    for name, budget in threat.items():
        if budget.norm not in norms:
            raise UsageError(f'attack "{attack}" takes --norm {", ".join(norms)}, not {budget.norm} (for {name})')


def check_choice(choices: Iterable[str], **settings: str) -> None:
    """Refuse a setting that is none of the choices, by its parameter's name.

    Args:
        choices: what it may be.
        settings: the settings.

    Raises:
        UsageError: so.
    """
    known = list(choices)
    for name, value in settings.items():
        if value not in known:
            raise UsageError(f"--{name.replace('_', '-')} {value}: expected one of {', '.join(known)}")


def check_counts(**counts: int) -> None:
    """Refuse a setting that must be 1 or more, by its parameter's name.

    Raises:
        UsageError: so.
    """
    for name, count in counts.items():
        if count < 1:
            raise UsageError(f"--{name.replace('_', '-')} {count} is too few; pass 1 or more")


def check_numbers(*, zero: bool = False, below: float = math.inf, **numbers: float | None) -> None:
    """Refuse a setting that must be above 0, by its parameter's name; None is no number and passes.

    Args:
        zero: 0 will do as well.
        below: what it must stay under.
        numbers: the settings.

    Raises:
        UsageError: so.
    """
    for name, number in numbers.items():
        if number is not None and not ((number > 0 or (zero and number == 0)) and number < below):
            upper = f" and below {below:g}" if below < math.inf else ""
            allowed = ("0 or more" if zero else "a number above 0") + upper
            raise UsageError(f"--{name.replace('_', '-')} {number:g}: pass {allowed}")


def check_range(name: str, value: Tensor) -> None:
    """Refuse what is not a batch of floats in [0, 1].

    Raises:
        UsageError: so.
    """
    if not isinstance(value, Tensor) or not value.is_floating_point():
        kind = str(value.dtype).removeprefix("torch.") if isinstance(value, Tensor) else type(value).__name__
        raise UsageError(f'input "{name}" is {kind}; pass a float tensor in [0, 1]')
    if value.ndim < 2 or value.numel() == 0:
        raise UsageError(f'input "{name}" has shape {tuple(value.shape)}; pass at least one sample, (B,C,H,W)')
    if bool(torch.isnan(value).any()):
        raise UsageError(f'input "{name}" has NaN values; pass images in [0, 1], and mark what was not measured as 0')
    low, high = (float(bound) for bound in torch.aminmax(value.detach()))
    if low < 0 or high > 1:
        raise UsageError(
            f'input "{name}" has values from {low:.2f} to {high:.2f}; '
            "pass images in [0, 1], the model normalises them itself"
        )


def check_ids(sample_ids: Sequence[str] | None, samples: int) -> list[str]:
    """One id per sample; by default its place in the batch.

    Raises:
        UsageError: another number of ids.
    """
    if sample_ids is None:
        return [str(place) for place in range(samples)]
    if len(sample_ids) != samples:
        raise UsageError(f"{len(sample_ids)} sample ids for {samples} samples; pass one id per sample")
    return [str(sample) for sample in sample_ids]


def workable(value: Tensor) -> Tensor:
    """The values in float32 or float64, free of any graph."""
    value = value.detach()
    if value.dtype != torch.float64:
        value = value.float()
    return value.clone() if value.is_inference() else value
