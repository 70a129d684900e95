"""Lead the prediction and what lies behind it astray: the multi-layer attack."""

from collections.abc import Sequence
from functools import partial
from typing import Any, Unpack

from torch import Tensor
from torch.nn.functional import softplus

from rgbdsod.attacks.budget import Threat
from rgbdsod.attacks.core import Common, Keep, perturb
from rgbdsod.attacks.door import check_range
from rgbdsod.attacks.engine import Engine
from rgbdsod.attacks.evaluation import Evaluation
from rgbdsod.attacks.norms import Ball
from rgbdsod.attacks.problem import Problem
from rgbdsod.attacks.result import Result
from rgbdsod.attacks.rules import StepSize
from rgbdsod.attacks.saliency.decisions import Against, Decisions
from rgbdsod.attacks.saliency.layers import Layers
from rgbdsod.attacks.saliency.memory import Heedful
from rgbdsod.attacks.saliency.taps import Taps
from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs

_AUTO = 4  # layers, from the shallow to the deep


def multilayer(
    problem: Problem,
    inputs: Inputs,
    threat: Threat,
    *,
    steps: int = 20,
    step_size: StepSize = None,
    layers: str | Sequence[str] = "auto",
    weight: float = 0.3,
    guide: Inputs | None = None,
    against: Against = "prediction",
    keep: Keep = "last",
    **common: Unpack[Common],
) -> Result:
    """Draw the pixels not yet turned to their other label, and inner layers to what they give for a guide image.

    Args:
        problem: what is attacked; it names the network among its `modules`.
        inputs: all inputs (B, ...) in [0, 1].
        threat: budgets by input.
        steps: how many.
        step_size: None: the norm's own.
        layers: names as in `named_modules`, in a sequence or with commas between; only those count that run on the
            attacked inputs. "auto": four convolutions, evenly spread over those that do.
        weight: of the layers' distance to the guide, which is 1 at the start, against the pixels' cross-entropy. More
            of it moves more inside the network and fewer pixels of the map.
        guide: an image for each attacked input, (B, ...) or (1, ...) in [0, 1]; None: the sample's own negative, 1 - x,
            in which near is far and bright is dark. Where the sample may not change, its own values stand.
        against: "prediction" turns all that the model showed of itself, right or wrong; "truth" only what was right.
        keep: the point it ends on ("last"), or the one with the highest loss on the way ("best").
        common: see `rgbdsod.attacks.core.Common`.

    Raises:
        UsageError: no such layer, none that runs on the attacked inputs, or no network to look into; a guide that does
            not fit the inputs; a negative weight.

    Source: Gupta and Rahtu, "MLAttack: Fooling Semantic Segmentation Networks by Multi-layer Attacks", GCPR 2019.
    """
    if not weight >= 0:
        raise UsageError(f"--weight {weight:g}: pass 0 (the prediction alone) or more")
    named = [name.strip() for name in layers.split(",")] if isinstance(layers, str) else list(layers)
    auto, decisions = layers == "auto", Decisions(against)
    with Taps(problem.modules, None if auto else named) as taps:
        behind = Layers(taps, _AUTO if auto else None)

        def estimate(engine: Engine, points: Inputs, progress: float) -> Evaluation:
            if not behind.ready:
                behind.look(engine, {name: _guide(name, ball, guide) for name, ball in engine.balls.items()})

            def astray(outputs: Any) -> Tensor:
                left = decisions.left(engine.problem.margins(outputs))
                return -(softplus(left) * (left > 0)).mean(1) - weight * behind.distance()

            return engine.gradient(points, progress, aim=astray)

        return perturb(
            problem,
            inputs,
            threat,
            steps=steps,
            step_size=step_size,
            rule=partial(Heedful, memories=(decisions, behind)),
            estimate=estimate,
            keep=keep,
            attack="multilayer",
            **common,
        )


def _guide(name: str, ball: Ball, guide: Inputs | None) -> Tensor:
    """The guide's image for one attacked input, clean where the input may not change."""
    if guide is None:
        return ball.moved(1 - ball.clean)
    if name not in guide:
        raise UsageError(f"the guide has no {name}, which is attacked; pass guide={{'{name}': IMAGE}}")
    image, like = guide[name], ball.clean
    check_range(f"guide {name}", image)
    if image.shape[1:] != like.shape[1:] or len(image) not in (1, len(like)):
        raise UsageError(
            f"the guide's {name} of shape {tuple(image.shape)} does not fit the input's {tuple(like.shape)}"
        )
    return ball.moved(image.to(like).expand_as(like))
