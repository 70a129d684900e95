"""Several models attacked as one."""

import copy
import math
from collections.abc import Sequence
from typing import Any, Literal, Self, get_args

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, log_softmax, logsigmoid

from rgbdsod.attacks.problem import Problem
from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs

Combine = Literal["logits", "probabilities", "loss"]

_SLACK = 1e-6  # what rounding leaves of a sum of weights


class EnsembleProblem:
    """Problems about the same samples, each with its own model.

    With "logits" and "probabilities" the weighted mean of the members' outputs is one prediction, which the first
    member judges; maps of other sizes than its own are resized. With "loss" each member judges its own prediction, and
    a sample is fooled where all members are. One pass of the ensemble counts as one of every member.

    Args:
        members: problems with the same inputs.
        combine: what is averaged: "logits", "probabilities" or "loss".
        weights: of the members, 0 or more, of sum 1; None: all alike.

    Raises:
        UsageError: no members, members with different inputs, weights that do not fit.

    Source: Liu et al., "Delving into Transferable Adversarial Examples", arXiv 1611.02770, equation 6 (probabilities);
    Dong et al., "Boosting Adversarial Attacks with Momentum", arXiv 1710.06081, section 3.2 (logits, losses).
    """

    def __init__(
        self, members: Sequence[Problem], *, combine: Combine = "logits", weights: Sequence[float] | None = None
    ) -> None:
        if combine not in get_args(Combine):
            raise UsageError(f'no way "{combine}" to combine; pass one of {", ".join(get_args(Combine))}')
        if not members:
            raise UsageError("an ensemble without members; pass at least one problem")
        _check_inputs(members)
        self.members = tuple(members)
        self.weights = _shares(weights, len(members))
        self.combine = combine

    @property
    def name(self) -> str:
        """The members' names."""
        return " + ".join(member.name for member in self.members)

    @property
    def kind(self) -> str:
        """What the members give; a mean of losses is one score."""
        return "score" if self.combine == "loss" else self._head.kind

    @property
    def inputs(self) -> tuple[str, ...]:
        """The inputs that all members share."""
        return self.members[0].inputs

    @property
    def modules(self) -> tuple[nn.Module, ...]:
        """Those of all members."""
        return tuple(module for member in self.members for module in member.modules)

    @property
    def passes(self) -> int:
        """How many passes one of the ensemble counts for."""
        return sum(int(getattr(member, "passes", 1)) for member in self.members)

    def forward(self, inputs: Inputs) -> Any:
        """The combined outputs; with "loss" a tuple of each member's."""
        outputs = tuple(member.forward(inputs) for member in self.members)
        if self.combine == "loss":
            return outputs
        alike = _on_one_grid(outputs)
        return self._mean(alike) if self.combine == "logits" else _mixed(alike, self.weights)

    def loss(self, outputs: Any, progress: float = 0.0) -> Tensor:
        """The first member's loss of the combined outputs, or the weighted mean of all losses, (B,)."""
        if self.combine != "loss":
            return self._head.loss(outputs, progress)
        return self._mean([member.loss(own, progress) for member, own in self._pairs(outputs)])

    def track(self, outputs: Any) -> Tensor | None:
        """What ranks points; where one member's loss cannot rank, the others' losses count beside its own ranking."""
        if self.combine != "loss":
            return self._head.track(outputs)
        values = [member.track(own) for member, own in self._pairs(outputs)]
        if all(value is None for value in values):
            return None
        pairs = zip(self._pairs(outputs), values, strict=True)
        return self._mean([member.loss(own, 1.0) if value is None else value for (member, own), value in pairs])

    def fooled(self, outputs: Any) -> Tensor:
        """Whether the combined prediction is, or all members are, bool (B,)."""
        if self.combine != "loss":
            return self._head.fooled(outputs)
        return torch.stack([member.fooled(own) for member, own in self._pairs(outputs)]).all(0)

    def margins(self, outputs: Any) -> Tensor:
        """Those of the combined prediction, or of all members side by side, (B, K)."""
        if self.combine != "loss":
            return self._head.margins(outputs)
        return torch.cat([member.margins(own) for member, own in self._pairs(outputs)], 1)

    def exits(self, outputs: Any) -> Tensor:
        """Those of the combined prediction, or one: what is missing to fool the member that holds out longest."""
        if self.combine != "loss":
            return self._head.exits(outputs)
        return torch.stack([member.gap(own) for member, own in self._pairs(outputs)]).amax(0)[:, None]

    def gap(self, outputs: Any) -> Tensor:
        """What is missing to the nearest way out, (B,)."""
        return self.exits(outputs).amin(1)

    def demands(self, outputs: Any) -> tuple[Tensor, Tensor]:
        """Those of the combined prediction, or one: the nearest way out of the member that holds out longest."""
        if self.combine != "loss":
            return self._head.demands(outputs)
        gap = self.exits(outputs)
        return gap, torch.ones_like(gap)

    def sides(self, outputs: Any) -> tuple[Tensor, Tensor | None]:
        """Those of the combined prediction, or the weighted means of all members'."""
        if self.combine != "loss":
            return self._head.sides(outputs)
        rising, falling = zip(*(member.sides(own) for member, own in self._pairs(outputs)), strict=True)
        return self._mean(rising), None if any(part is None for part in falling) else self._mean(falling)

    def raising(self, objective: str) -> Self:
        """The same ensemble with another objective of every member."""
        return self._of([member.raising(objective) for member in self.members])

    def given(self, fixed: Inputs) -> Self:
        """The same ensemble with some inputs filled in, in every member."""
        return self._of([member.given(fixed) for member in self.members])

    def select(self, index: Tensor) -> Self:
        """The same ensemble for some of the samples."""
        return self._of([member.select(index) for member in self.members])

    @property
    def _head(self) -> Problem:
        return self.members[0]

    def _pairs(self, outputs: Any) -> list[tuple[Problem, Any]]:
        return list(zip(self.members, outputs, strict=True))

    def _mean(self, values: Sequence[Tensor]) -> Tensor:
        return torch.stack([weight * value for weight, value in zip(self.weights, values, strict=True)]).sum(0)

    def _of(self, members: Sequence[Problem]) -> Self:
        other = copy.copy(self)
        other.members = tuple(members)
        return other


def _check_inputs(members: Sequence[Problem]) -> None:
    first = members[0]
    for member in members[1:]:
        if set(member.inputs) != set(first.inputs):
            raise UsageError(
                f"{first.name} has inputs {', '.join(first.inputs)}, but {member.name} has {', '.join(member.inputs)}; "
                "an ensemble's members take the same inputs"
            )


def _shares(weights: Sequence[float] | None, count: int) -> tuple[float, ...]:
    """The weights, or equal ones."""
    if weights is None:
        return (1 / count,) * count
    if len(weights) != count:
        raise UsageError(f"{len(weights)} weights for {count} members; pass one for each")
    if min(weights) < 0 or abs(sum(weights) - 1) > _SLACK:
        raise UsageError(
            f"weights {', '.join(f'{weight:g}' for weight in weights)} sum to {sum(weights):g}; "
            "pass numbers of 0 or more that sum to 1"
        )
    return tuple(weights)


def _on_one_grid(outputs: Sequence[Tensor]) -> list[Tensor]:
    """Outputs of the first one's shape; maps are resized to it."""
    first = outputs[0]
    alike = []
    for output in outputs:
        fits = output.shape == first.shape
        if not fits and (output.ndim != 4 or output.shape[:2] != first.shape[:2]):
            raise UsageError(
                f"members return outputs of shapes {tuple(first.shape)} and {tuple(output.shape)}; "
                'combine them by "loss"'
            )
        alike.append(output if fits else interpolate(output, first.shape[-2:], mode="bilinear"))
    return alike


def _mixed(outputs: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    """Logits of the mean probability: of one class where there is one channel, else of all classes."""
    if outputs[0].ndim == 1:
        raise UsageError('scores are no probabilities; combine them by "logits" or "loss"')
    if outputs[0].shape[1] > 1:
        return _log_mean([log_softmax(logits, 1) for logits in outputs], weights)
    yes, no = ([logsigmoid(sign * logits) for logits in outputs] for sign in (1, -1))
    return _log_mean(yes, weights) - _log_mean(no, weights)


def _log_mean(logs: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    """The logarithm of the weighted mean of what these are the logarithms of."""
    shares = [log + math.log(weight) for log, weight in zip(logs, weights, strict=True) if weight > 0]
    return torch.stack(shares).logsumexp(0)
