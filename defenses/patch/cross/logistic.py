"""Logistic regression of a few features, fitted by L-BFGS."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit
from torch import Tensor

from rgbdsod.errors import UsageError, WeightsError

_RIDGE = 1e-3


@dataclass(frozen=True, eq=False)
class Logistic:
    """A weighted sum of named features.

    Args:
        weights: by feature, in the order of the features.
        bias: what is added.
    """

    weights: Mapping[str, float]
    bias: float

    def logit(self, features: Mapping[str, Tensor]) -> Tensor:
        """The logarithm of the odds, in the features' shape.

        Raises:
            UsageError: a feature is missing.
        """
        if missing := [name for name in self.weights if name not in features]:
            raise UsageError(f'no feature "{missing[0]}"; there are {", ".join(features)}')
        first = next(iter(features.values()))
        return sum(
            (weight * features[name] for name, weight in self.weights.items()), torch.full_like(first, self.bias)
        )

    def record(self) -> dict[str, Any]:
        """Itself in JSON's types."""
        return {"weights": dict(self.weights), "bias": self.bias}

    @classmethod
    def read(cls, record: Mapping[str, Any], names: Sequence[str], source: str) -> Self:
        """The inverse of `record`.

        Args:
            record: what it made.
            names: features that it must be of.
            source: of the record, for the message.

        Raises:
            WeightsError: it is no such record, or of other features.
        """
        try:
            weights, bias = {name: float(record["weights"][name]) for name in names}, float(record["bias"])
        except (KeyError, TypeError, ValueError) as error:
            raise WeightsError(
                f"{source} holds no decision over {len(names)} maps ({error}); see examples/make_cross_maps.py"
            ) from error
        return cls(weights, bias)


def fit_logistic(features: Mapping[str, Tensor], truth: Tensor, weight: Tensor | None = None) -> Logistic:
    """The regression of least weighted cross-entropy, with a light ridge on standardised features.

    Args:
        features: by name, of one shape.
        truth: bool, of the same shape.
        weight: of each element, 0 or more; None: both classes count alike.

    Raises:
        UsageError: only one class.
    """
    wanted = truth.flatten().double().cpu()
    if not 0 < float(wanted.mean()) < 1:
        raise UsageError("a decision needs pixels of patches and pixels beside them; pass masks that have both")
    rows = torch.stack([value.flatten().double().cpu() for value in features.values()], 1)
    counts = _balanced(wanted) if weight is None else weight.flatten().double().cpu()
    counts = counts / counts.sum()
    centre, spread = rows.mean(0), rows.std(0).clamp_min(1e-6)
    table, target, share = (value.numpy() for value in ((rows - centre) / spread, wanted, counts))

    def loss(found: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        logits = table @ found[1:] + found[0]
        value = share @ (np.logaddexp(0, logits) - target * logits) + _RIDGE * found[1:] @ found[1:]
        slope = share * (expit(logits) - target)
        return float(value), np.concatenate([[slope.sum()], slope @ table + 2 * _RIDGE * found[1:]])

    found = minimize(loss, np.zeros(table.shape[1] + 1), jac=True, method="L-BFGS-B").x
    slopes = torch.from_numpy(found[1:]) / spread
    bias = float(found[0] - (slopes * centre).sum())
    return Logistic(dict(zip(features, slopes.tolist(), strict=True)), bias)


def _balanced(truth: Tensor) -> Tensor:
    """Weights under which both classes count alike."""
    share = truth.mean()
    return torch.where(truth > 0.5, 0.5 / share, 0.5 / (1 - share))
