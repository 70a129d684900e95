"""Attacks by trained perturbation generators: GAP and AdvGAN."""

from pathlib import Path
from typing import Unpack

from rgbdsod.attacks.budget import Threat
from rgbdsod.attacks.core import Common
from rgbdsod.attacks.generative.perturbation import PerturbationGenerator
from rgbdsod.attacks.problem import Problem
from rgbdsod.attacks.result import Result
from rgbdsod.types import Inputs


def gap(
    problem: Problem,
    inputs: Inputs,
    threat: Threat,
    *,
    generator: str | Path = "gap",
    **common: Unpack[Common],
) -> Result:
    """What a generator draws that was trained to raise the objective of one network.

    Args:
        problem: what is attacked.
        inputs: all inputs (B, ...) in [0, 1].
        threat: budgets by input, norm Linf, no larger than those of the generator's training.
        generator: "gap", trained on generated scenes against the built-in BBS-Net, or a .safetensors file.
        common: see `rgbdsod.attacks.core.Common`.

    Raises:
        UsageError: the generator was not trained for this threat or these inputs.
        WeightsError: the file is missing, damaged, or no perturbation generator.

    Source: Poursaeed et al., "Generative Adversarial Perturbations", arXiv 1712.02328, section 3.
    """
    return _drawn(generator, problem, inputs, threat, common)


def advgan(
    problem: Problem,
    inputs: Inputs,
    threat: Threat,
    *,
    generator: str | Path = "advgan",
    **common: Unpack[Common],
) -> Result:
    """What a generator draws that was trained to raise the objective and to fool a critic of images.

    Args:
        problem: what is attacked.
        inputs: all inputs (B, ...) in [0, 1].
        threat: budgets by input, norm Linf, no larger than those of the generator's training.
        generator: "advgan", trained on generated scenes against the built-in BBS-Net, or a .safetensors file.
        common: see `rgbdsod.attacks.core.Common`.

    Raises:
        UsageError: the generator was not trained for this threat or these inputs.
        WeightsError: the file is missing, damaged, or no perturbation generator.

    Source: Xiao et al., "Generating Adversarial Examples with Adversarial Networks", arXiv 1801.02610, section 3.2.
    """
    return _drawn(generator, problem, inputs, threat, common)


def _drawn(generator: str | Path, problem: Problem, inputs: Inputs, threat: Threat, common: Common) -> Result:
    device = next(iter(inputs.values())).device
    return PerturbationGenerator.load(generator).to(device)(problem, inputs, threat, **common)
