"""Which attacks and objectives exist. Imports no torch: `rgbdsod list` reads these tables."""

import importlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from rgbdsod.registry import Table


def load(path: str) -> Callable[..., Any]:
    """The function at "package.module:name"."""
    module, _, name = path.partition(":")
    function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return function


@dataclass(frozen=True)
class AttackRow:
    """One attack.

    Args:
        name: what a user types.
        function: where it is, "module:name"; called as f(problem, inputs, threat, *, own parameters, common ones).
        summary: one sentence.
        paper: title or authors, and year.
        arxiv: arXiv id, or "" where there is none.
        passes: what one run costs per sample; T steps, R restarts.
        knowledge: what of the model it needs: its gradients, its scores, its decisions, or nothing.
        norms: the norms of its budget.
    """

    name: str
    function: str
    summary: str
    paper: str
    arxiv: str
    passes: str
    knowledge: Literal["white", "score", "decision", "none"] = "white"
    norms: tuple[str, ...] = ("linf", "l2", "l1", "l0")

    def load(self) -> Callable[..., Any]:
        """The attack's function; imports torch."""
        return load(self.function)

    def parameters(self) -> dict[str, Any]:
        """The attack's own parameters with their defaults, read from its signature; imports torch."""
        signature = inspect.signature(self.load())
        return {p.name: p.default for p in signature.parameters.values() if p.kind is p.KEYWORD_ONLY}


_GRADIENT = "rgbdsod.attacks.gradient"
_IFGSM = AttackRow(
    "ifgsm",
    f"{_GRADIENT}:ifgsm",
    "small signed steps from the clean input",
    "Kurakin et al., Adversarial examples in the physical world, 2016",
    "1607.02533",
    "(T+1) forwards, T backwards",
)

ATTACKS = Table(
    "attack",
    [
        AttackRow(
            "fgsm",
            f"{_GRADIENT}:fgsm",
            "one step of the full radius along the gradient",
            "Goodfellow et al., Explaining and harnessing adversarial examples, 2014",
            "1412.6572",
            "2 forwards, 1 backward",
        ),
        AttackRow(
            "rfgsm",
            f"{_GRADIENT}:rfgsm",
            "a random step, then one gradient step with the rest of the radius",
            "Tramèr et al., Ensemble adversarial training, 2017",
            "1705.07204",
            "2 forwards, 1 backward",
        ),
        _IFGSM,
        replace(_IFGSM, name="bim", summary="the same as ifgsm"),
        AttackRow(
            "pgd",
            f"{_GRADIENT}:pgd",
            "steps along the gradient from a random start, each projected; restarts keep the best per sample",
            "Madry et al., Towards deep learning models resistant to adversarial attacks, 2017",
            "1706.06083",
            "R(T+1) forwards, R T backwards",
        ),
        AttackRow(
            "mifgsm",
            f"{_GRADIENT}:mifgsm",
            "steps along the accumulated gradient; transfers better to other models",
            "Dong et al., Boosting adversarial attacks with momentum, 2017",
            "1710.06081",
            "(T+1) forwards, T backwards",
        ),
        AttackRow(
            "noise",
            "rgbdsod.attacks.baseline:noise",
            "random noise of the same budget, the worst of several draws: every attack must be stronger",
            "Carlini et al., On evaluating adversarial robustness, 2019",
            "1902.06705",
            "one forward per draw",
            knowledge="score",
        ),
    ],
)


@dataclass(frozen=True)
class ObjectiveRow:
    """One objective.

    Args:
        name: what a user types.
        function: where it is, "module:name".
        summary: what it rewards.
        source: where it is from; "" where it is common property.
        track: the objective that ranks the points of one run where this one cannot: it falls as pixels turn, or its
            weights change on the way. "": itself.
    """

    name: str
    function: str
    summary: str
    source: str = ""
    track: str = ""

    def load(self) -> Callable[..., Any]:
        """The objective's function; imports torch."""
        return load(self.function)


_PIXELS, _REGIONS, _SCORES = "rgbdsod.attacks.pixels", "rgbdsod.attacks.regions", "rgbdsod.attacks.scores"
_STRUCTURE = ObjectiveRow("structure", f"{_REGIONS}:structure", "minus the S-measure", "1708.00786")

MAP_OBJECTIVES = Table(
    "objective",
    [
        ObjectiveRow("bce", f"{_PIXELS}:bce", "mean cross-entropy of the pixels"),
        ObjectiveRow("balanced-bce", f"{_PIXELS}:balanced_bce", "cross-entropy, object and background equally heavy"),
        ObjectiveRow(
            "masked-bce", f"{_PIXELS}:masked_bce", "cross-entropy of the pixels still to turn", "2306.12941", "bce"
        ),
        ObjectiveRow("segpgd", f"{_PIXELS}:segpgd", "first the pixels still to turn, later all", "2207.12391", "bce"),
        ObjectiveRow(
            "cospgd", f"{_PIXELS}:cospgd", "pixels weighted by how far they are from turned", "2302.02213", "bce"
        ),
        ObjectiveRow("js", f"{_PIXELS}:js", "Jensen-Shannon divergence, which leaves lost pixels alone", "2306.12941"),
        ObjectiveRow("margin", f"{_PIXELS}:margin", "minus the mean signed logit"),
        ObjectiveRow(
            "masked-margin",
            f"{_PIXELS}:masked_margin",
            "minus the signed logit of the pixels still to turn",
            "2306.12941",
        ),
        ObjectiveRow("soft-iou", f"{_REGIONS}:soft_iou", "one minus the soft intersection over union"),
        ObjectiveRow("soft-f", f"{_REGIONS}:soft_f", "one minus the soft F-measure, beta^2 = 0.3"),
        ObjectiveRow("mae", f"{_REGIONS}:mae", "mean absolute error"),
        _STRUCTURE,
        replace(_STRUCTURE, name="s-measure", summary="the same as structure"),
    ],
)

CLASS_OBJECTIVES = Table(
    "objective",
    [
        ObjectiveRow("ce", f"{_SCORES}:ce", "cross-entropy"),
        ObjectiveRow("margin", f"{_SCORES}:margin", "the best other logit minus the true one", "1608.04644"),
        ObjectiveRow("dlr", f"{_SCORES}:dlr", "difference of logits ratio: blind to scale and shift", "2003.01690"),
    ],
)
