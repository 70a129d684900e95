"""A universal noise by gradient steps on batches: SGD-UAP."""

from typing import Unpack

import torch
from torch import Tensor

from rgbdsod.attacks.budget import Threat
from rgbdsod.attacks.engine import Engine
from rgbdsod.attacks.universal.fitting import Batches, Fit, Fitting
from rgbdsod.attacks.universal.perturbation import Universal
from rgbdsod.attacks.universal.radius import steepest
from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs


def sgd_uap(
    batches: Batches,
    threat: Threat,
    *,
    epochs: int = 5,
    step_size: float | None = None,
    cap: float = 9.0,
    **fit: Unpack[Fit],
) -> Universal:
    """One noise for all samples, by a step along the mean gradient of each batch.

    One pass forward and back for a batch in each epoch; batches come in a new order each time. The gradient is taken
    where box and budget put a sample, and is the noise's own: what the box cuts off does not silence it.

    Args:
        batches: (problem, inputs), or (problem, inputs, masks); see `Batch`.
        threat: budgets by input, norm "linf" or "l2", one radius each.
        epochs: how often each batch is visited.
        step_size: in units of the [0, 1] input; None: a tenth of each radius.
        cap: a sample whose loss is higher no longer pulls, so that one easy sample does not take over.
        fit: see `rgbdsod.attacks.universal.fitting.Fit`.

    Returns:
        The noise; its facts hold, for each epoch, the share of samples that were fooled when they were visited.

    Raises:
        UsageError: nothing to fit, or settings that do not fit together. WeightsError: the model returned NaN.

    Source: Shafahi et al., "Universal Adversarial Training", arXiv 1811.11304, algorithm 1, and the capped loss; for
    maps Metzen et al., "Universal Adversarial Perturbations Against Semantic Image Segmentation", arXiv 1704.05712.
    """
    if step_size is not None and not step_size > 0:
        raise UsageError(f"--step-size {step_size:g} does not move; pass a size above 0, for example 1/255")
    fitting = Fitting(batches, threat, attack="sgd-uap", epochs=epochs, fit=fit)
    lengths = {name: step_size or float(budget.eps) / 10 for name, budget in fitting.budgets.items()}
    history = []
    for epoch in range(epochs):
        fooled, samples = 0, 0
        for batch in fitting.shuffled(epoch):
            with fitting.open(batch) as (engine, points):
                gradients, found = _capped_gradient(engine, points, epoch / epochs, cap)
                ways = fitting.pulled(gradients)
            fitting.add({name: lengths[name] * steepest(way, fitting.budgets[name]) for name, way in ways.items()})
            fooled, samples = fooled + int(found.sum()), samples + len(found)
        history.append(fooled / samples)
    return fitting.result(epochs=epochs, fooled=history)


def _capped_gradient(engine: Engine, points: Inputs, progress: float, cap: float) -> tuple[dict[str, Tensor], Tensor]:
    """Each sample's gradient of min(loss, cap), and whether it was fooled, bool (B,)."""
    with torch.enable_grad():
        leaves = {name: value.detach().requires_grad_() for name, value in points.items()}
        outputs = engine.forward(leaves)
        loss = engine.problem.loss(outputs, progress)
        engine.check_finite(loss.detach()[None, None])
        gradients = engine.pull(loss.clamp(max=cap), leaves)
    allowed = {name: engine.balls[name].masked(value) for name, value in gradients.items()}
    with torch.no_grad():
        return allowed, engine.problem.fooled(outputs)
