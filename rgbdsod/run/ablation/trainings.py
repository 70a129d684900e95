"""How the networks of an ablation are trained, by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from typing import Any

from rgbdsod.attacks.budget import Budget
from rgbdsod.defenses import AdversarialTraining
from rgbdsod.errors import UsageError
from rgbdsod.run.alignment_settings import AlignmentSettings
from rgbdsod.run.threats import attacked_inputs, parse_number

PLAIN = "plain"

_STEPS = 5
"""Of the attack in every step of adversarial training, as `rgbdsod train` has it."""


@dataclass(frozen=True)
class Scheme:
    """One way to train.

    Args:
        name: of the scheme, without its value.
        value: weight of a loss, share of images that lose an input, or radius; None for "plain".
        streams: whether it compares two encoders, which early fusion and single inputs do not have.
        inputs: that the network must have.
    """

    name: str
    value: float | None
    streams: bool
    inputs: tuple[str, ...]
    _arguments: Callable[[float], dict[str, Any]]

    def arguments(self) -> dict[str, Any]:
        """What `rgbdsod.train` is given."""
        return {} if self.value is None else self._arguments(self.value)


@dataclass(frozen=True)
class _Row:
    usual: float | None
    arguments: Callable[[float], dict[str, Any]]
    streams: bool = False
    inputs: tuple[str, ...] = ()


def _aligned(loss: str, weight: float) -> dict[str, Any]:
    settings: dict[str, Any] = {loss: weight}
    if loss == "itc":
        settings["pool"] = "mask"  # pooled over all of it, one generated scene is too much like another
    return {"alignment": AlignmentSettings(**settings)}


def _adversarial(modality: str, eps: float) -> dict[str, Any]:
    attacked = attacked_inputs(modality, ("rgb", "depth"), "an ablation")
    return {"adversarial": AdversarialTraining(threat={name: Budget(eps=eps) for name in attacked}, steps=_STEPS)}


_SCHEMES: Mapping[str, _Row] = {
    PLAIN: _Row(None, lambda value: {}),
    "dropout": _Row(0.3, lambda share: {"modality_dropout": share}, inputs=("rgb", "depth")),
    "itc": _Row(0.1, partial(_aligned, "itc"), streams=True),
    "itc-dense": _Row(0.1, partial(_aligned, "itc_dense"), streams=True),
    "itm": _Row(0.1, partial(_aligned, "itm"), streams=True),
    "masked": _Row(0.1, partial(_aligned, "masked"), streams=True),
    "adversarial-rgb": _Row(4 / 255, partial(_adversarial, "rgb"), inputs=("rgb",)),
    "adversarial-depth": _Row(4 / 255, partial(_adversarial, "depth"), inputs=("depth",)),
    "adversarial-both": _Row(4 / 255, partial(_adversarial, "both"), inputs=("rgb", "depth")),
}

TRAININGS: tuple[str, ...] = tuple(_SCHEMES)
"""All schemes by name."""


def training_scheme(text: str) -> Scheme:
    """A scheme by its name, perhaps with a value: "plain", "itc", "itc:0.5", "adversarial-rgb:8/255".

    Args:
        text: the name; after a colon the weight of the loss, the share of images that lose an input (dropout), or the
            radius (adversarial). Usual are 0.1, 0.3 and 4/255.

    Raises:
        UsageError: no such scheme, or a value that means nothing.
    """
    name, _, value = text.partition(":")
    if name not in _SCHEMES:
        close = get_close_matches(name, TRAININGS, n=1)
        hint = f'did you mean "{close[0]}"? There' if close else "there"
        raise UsageError(f'no training "{name}"; {hint} are {", ".join(TRAININGS)}')
    row = _SCHEMES[name]
    if value and row.usual is None:
        raise UsageError(f'--training {text}: "{name}" takes no value')
    chosen = parse_number(value, f"--training {name}") if value else row.usual
    if chosen is not None and not 0 < chosen <= (1 if name == "dropout" or name.startswith("adversarial") else 100):
        raise UsageError(f"--training {text}: expected a value above 0, such as {name}:{row.usual:.3g}")
    return Scheme(name, chosen, row.streams, row.inputs, row.arguments)
