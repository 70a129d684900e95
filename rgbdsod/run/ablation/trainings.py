"""How the networks of an ablation are trained, by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from typing import Any

from rgbdsod.attacks.budget import Budget
from rgbdsod.defenses import map_hardening
from rgbdsod.defenses.training.table import MAP_HARDENINGS
from rgbdsod.errors import UsageError
from rgbdsod.run.alignment_settings import AlignmentSettings
from rgbdsod.run.threats import attacked_inputs, parse_number

PLAIN = "plain"

SOURCES = ("alternate", "worst")
"""Ways to attack one input of two in a step."""

_STEPS = 5
"""Of the attack in every step of adversarial training, as `rgbdsod train` has it."""


@dataclass(frozen=True)
class _Row:
    usual: float | None
    adds: Callable[[float], dict[str, Any]]
    kind: str
    streams: bool = False
    inputs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Part:
    """One thing that is added to the plain training.

    Args:
        name: of a row.
        value: weight of a loss, share of images that lose an input, or radius; None for "plain".
    """

    name: str
    value: float | None

    @property
    def row(self) -> _Row:
        """What the name stands for."""
        return _SCHEMES[self.name]

    def adds(self) -> dict[str, Any]:
        """Its share of the arguments of `rgbdsod.train`."""
        return {} if self.value is None else self.row.adds(self.value)


@dataclass(frozen=True)
class Scheme:
    """One way to train.

    Args:
        parts: that it is made of, of different kinds or of different alignment losses.
    """

    parts: tuple[Part, ...]

    @property
    def streams(self) -> bool:
        """Whether it compares two encoders, which early fusion and single inputs do not have."""
        return any(part.row.streams for part in self.parts)

    @property
    def inputs(self) -> tuple[str, ...]:
        """That the network must have."""
        return tuple(dict.fromkeys(name for part in self.parts for name in part.row.inputs))

    def arguments(self) -> dict[str, Any]:
        """What `rgbdsod.train` is given."""
        found: dict[str, Any] = {}
        losses: dict[str, Any] = {}
        for part in self.parts:
            (losses if part.row.kind == _ALIGNMENT else found).update(part.adds())
        return found | ({"alignment": AlignmentSettings(**losses)} if losses else {})


def _aligned(loss: str, weight: float) -> dict[str, Any]:
    # Pooled over all of it, one generated scene is too much like another for a contrast of scenes.
    return {loss: weight} | ({"pool": "mask"} if loss == "itc" else {})


def _hardened(method: str, modality: str, eps: float) -> dict[str, Any]:
    attacked = ("rgb", "depth") if modality in SOURCES else attacked_inputs(modality, ("rgb", "depth"), "an ablation")
    threat = {name: Budget(eps=eps) for name in attacked}
    steps = {"steps": _STEPS} if "steps" in MAP_HARDENINGS[method].settings else {}
    return {"adversarial": map_hardening(method, threat, sources=modality if modality in SOURCES else "joint", **steps)}


_ALIGNMENT, _DROPOUT, _ADVERSARIAL = "alignment", "dropout", "adversarial"
_BOTH = ("rgb", "depth")


def _loss(name: str) -> _Row:
    return _Row(0.1, partial(_aligned, name), _ALIGNMENT, streams=True)


def _hardening(method: str, modality: str, inputs: tuple[str, ...] = _BOTH) -> _Row:
    return _Row(4 / 255, partial(_hardened, method, modality), _ADVERSARIAL, inputs=inputs)


_SCHEMES: Mapping[str, _Row] = {
    PLAIN: _Row(None, lambda value: {}, PLAIN),
    "dropout": _Row(0.3, lambda share: {"modality_dropout": share}, _DROPOUT, inputs=_BOTH),
    "itc": _loss("itc"),
    "itc-dense": _loss("itc_dense"),
    "itm": _loss("itm"),
    "masked": _loss("masked"),
    "manipulation": _loss("manipulation"),
    "adversarial-rgb": _hardening("pgd", "rgb", ("rgb",)),
    "adversarial-depth": _hardening("pgd", "depth", ("depth",)),
    "adversarial-both": _hardening("pgd", "both"),
    "adversarial-alternate": _hardening("pgd", "alternate"),
    "adversarial-worst": _hardening("pgd", "worst"),
    "trades": _hardening("trades", "both"),
    "free": _hardening("free", "both"),
    "fast": _hardening("fast", "both"),
}

TRAININGS: tuple[str, ...] = tuple(_SCHEMES)
"""All that a training may have, by name."""


def training_scheme(text: str) -> Scheme:
    """A scheme by its name, perhaps with values: "plain", "itc:0.5", "adversarial-rgb:8/255", "trades+dropout+itm".

    Args:
        text: names joined by +; after a colon the weight of the loss, the share of images that lose an input (dropout),
            or the radius (adversarial training). Usual are 0.1, 0.3 and 4/255.

    Raises:
        UsageError: no such name, a value that means nothing, or parts that exclude one another.
    """
    parts = tuple(_part(one.strip(), text) for one in text.split("+"))
    if len(parts) > 1:
        if any(part.name == PLAIN for part in parts):
            raise UsageError(f'--training {text}: "{PLAIN}" stands alone; leave it out')
        places = [part.name if part.row.kind == _ALIGNMENT else part.row.kind for part in parts]
        if twice := [place for place in places if places.count(place) > 1]:
            raise UsageError(f"--training {text}: {twice[0]} can be there once; give the rest a scheme each")
    return Scheme(parts)


def _part(one: str, text: str) -> Part:
    name, _, value = one.partition(":")
    if name not in _SCHEMES:
        close = get_close_matches(name, TRAININGS, n=1)
        hint = f'did you mean "{close[0]}"? There' if close else "there"
        raise UsageError(f'no training "{name}"; {hint} are {", ".join(TRAININGS)}')
    row = _SCHEMES[name]
    if value and row.usual is None:
        raise UsageError(f'--training {text}: "{name}" takes no value')
    chosen = parse_number(value, f"--training {name}") if value else row.usual
    if chosen is not None and not 0 < chosen <= (100 if row.kind == _ALIGNMENT else 1):
        raise UsageError(f"--training {text}: expected a value above 0, such as {name}:{row.usual:.3g}")
    return Part(name, chosen)
