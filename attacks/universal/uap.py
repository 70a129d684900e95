"""A universal noise from the smallest step of each sample that still stands: UAP."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Unpack

from rgbdsod.attacks.budget import Budget, Threat
from rgbdsod.attacks.minimum.deepfool import deepfool
from rgbdsod.attacks.norms import Ball
from rgbdsod.attacks.universal.fitting import Batch, Batches, Fit, Fitting
from rgbdsod.attacks.universal.perturbation import Universal
from rgbdsod.errors import UsageError


def uap(
    batches: Batches,
    threat: Threat,
    *,
    target_rate: float = 0.8,
    epochs: int = 10,
    steps: int = 20,
    overshoot: float = 0.02,
    **fit: Unpack[Fit],
) -> Universal:
    """One noise for all samples, from the smallest step that fools each sample which the noise does not fool yet.

    The smallest step is DeepFool's in L2, whatever the norm of the radius. The paper visits samples one by one. Here
    the samples of a batch that still stand take their steps together, all from the same noise, and the noise moves by
    their sum before it is brought back within its radius; with batches of one sample this is the paper's algorithm. A
    sample for which no step is found adds nothing. The noise of the best epoch is returned.

    Args:
        batches: (problem, inputs), or (problem, inputs, masks); see `Batch`.
        threat: budgets by input, norm "linf" or "l2", one radius each.
        target_rate: the share of fooled samples at which the fit ends; looked at after each epoch, one pass a sample.
        epochs: how often each batch is visited at most.
        steps: of the inner search, at most.
        overshoot: how far beyond the decision's border a step goes, relative to its length.
        fit: see `rgbdsod.attacks.universal.fitting.Fit`.

    Returns:
        The noise; its facts hold the share of samples that it fooled after each epoch.

    Raises:
        UsageError: nothing to fit, settings that do not fit together, or no sample could be fooled.
        WeightsError: the model returned NaN.

    Source: Moosavi-Dezfooli et al., "Universal adversarial perturbations", arXiv 1610.08401, algorithm 1.
    """
    if not 0 < target_rate <= 1:
        raise UsageError(f"--target-rate {target_rate:g}: pass a share above 0 and up to 1, for example 0.8")
    fitting = Fitting(batches, threat, attack="uap", epochs=epochs, fit=fit)
    history: list[float] = []
    best = fitting.noise
    while len(history) < epochs and max(history, default=0.0) < target_rate:
        for batch in fitting.shuffled(len(history)):
            _visit(fitting, batch, steps, overshoot)
        history.append(fitting.rate())
        best = dict(fitting.noise) if history[-1] == max(history) else best
    if max(history) < target_rate and not any(bool(noise.any()) for noise in best.values()):
        raise UsageError(
            f"no steps fooled any sample, so there is no noise; pass more --steps than {steps}, an easier --success, "
            "or fit by gradient steps (sgd)"
        )
    fitting.noise = best
    return fitting.result(epochs=len(history), fooled=history)


def _visit(fitting: Fitting, batch: Batch, steps: int, overshoot: float) -> None:
    """Move the noise by the smallest steps of the samples that still stand."""
    with fitting.open(batch) as (engine, points):
        standing = (~engine.decide(points)).nonzero().flatten()
        if not len(standing):
            return
        start = {name: points.get(name, value)[standing] for name, value in batch.inputs.items()}
        free = {name: _unbounded(ball, fitting.budgets).select(standing) for name, ball in engine.balls.items()}
        found = deepfool(
            batch.problem.select(standing), start, free, steps=steps, overshoot=overshoot, precision=fitting.precision
        )
        fitting.count(found.forward, found.backward)
    fitting.add(fitting.brought({name: found.inputs[name] - start[name] for name in free}))


def _unbounded(ball: Ball, budgets: Mapping[str, Budget]) -> Budget:
    """Any L2 step inside box and mask, as in the paper for every norm; several inputs keep the ratio of their radii."""
    own, largest = float(ball.budget.eps), max(float(budget.eps) for budget in budgets.values())
    diagonal = ball.clean[0].numel() ** 0.5
    return replace(ball.budget, norm="l2", eps=diagonal * own / largest, levels=None)
