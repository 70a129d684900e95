"""Which attacks and objectives exist. Imports no torch: `rgbdsod list` reads these tables."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from rgbdsod.attacks.blackbox.table import ROWS as BLACKBOX
from rgbdsod.attacks.generative.table import ROWS as GENERATIVE
from rgbdsod.attacks.gradient.table import ROWS as GRADIENT
from rgbdsod.attacks.minimum.table import ROWS as MINIMUM
from rgbdsod.attacks.patch.table import ROWS as PATCH
from rgbdsod.attacks.rows import AttackRow, load
from rgbdsod.attacks.saliency.table import ROWS as SALIENCY
from rgbdsod.attacks.sensor.table import ROWS as SENSOR
from rgbdsod.attacks.sparse.table import ROWS as SPARSE
from rgbdsod.attacks.suites.table import ROWS as SUITES
from rgbdsod.attacks.transfer.table import ROWS as TRANSFER
from rgbdsod.attacks.universal.table import ROWS as UNIVERSAL
from rgbdsod.registry import Table

_NOISE = AttackRow(
    "noise",
    "rgbdsod.attacks.baseline:noise",
    "random noise of the same budget, the worst of several draws: every attack must be stronger",
    "Carlini et al., On evaluating adversarial robustness, 2019",
    "1902.06705",
    "one forward per draw",
    knowledge="score",
    ranges={"kind": "uniform, sign", "draws": "1 or more"},
)

ATTACKS: Table[AttackRow] = Table(
    "attack",
    [
        *GRADIENT,
        *TRANSFER,
        *MINIMUM,
        *SPARSE,
        *BLACKBOX,
        *UNIVERSAL,
        *GENERATIVE,
        *SENSOR,
        *SALIENCY,
        *PATCH,
        *SUITES,
        _NOISE,
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
        ObjectiveRow(
            "dlr-threshold",
            f"{_PIXELS}:dlr_threshold",
            "minus the mean signed logit over the logits' size: blind to scale",
            "2003.01690",
        ),
        ObjectiveRow(
            "dlr-rank",
            f"{_PIXELS}:dlr_rank",
            "the same without the logits' mean: blind to scale and shift, for maps that are stretched",
            "2003.01690",
        ),
        ObjectiveRow(
            "rank", f"{_REGIONS}:rank", "background logits above object logits, over their spread: an AUC surrogate"
        ),
        ObjectiveRow("soft-iou", f"{_REGIONS}:soft_iou", "one minus the soft intersection over union"),
        ObjectiveRow("soft-f", f"{_REGIONS}:soft_f", "one minus the soft F-measure, beta^2 = 0.3"),
        ObjectiveRow("mae", f"{_REGIONS}:mae", "mean absolute error"),
        _STRUCTURE,
        replace(_STRUCTURE, name="s-measure", summary="the same as structure"),
        ObjectiveRow("e-measure", f"{_REGIONS}:alignment", "minus the E-measure", "1805.10421"),
    ],
)

CLASS_OBJECTIVES = Table(
    "objective",
    [
        ObjectiveRow("ce", f"{_SCORES}:ce", "cross-entropy"),
        ObjectiveRow("margin", f"{_SCORES}:margin", "the best other logit minus the true one", "1608.04644"),
        ObjectiveRow("cw-margin", f"{_SCORES}:cw_margin", "the margin, up to 50", "1608.04644"),
        ObjectiveRow("dlr", f"{_SCORES}:dlr", "difference of logits ratio: blind to scale and shift", "2003.01690"),
    ],
)
