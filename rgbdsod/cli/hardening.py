"""The flags of `rgbdsod train` that harden a network: adversarial training, and what keeps it near its clean self."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from typer import Option

from rgbdsod.defenses.training.table import MAP_HARDENINGS
from rgbdsod.errors import UsageError

if TYPE_CHECKING:
    from rgbdsod.defenses import MapHardening
    from rgbdsod.run.consistency_settings import ConsistencySettings

_PANEL = "Hardening"

_OWN = ("steps", "step_size", "objective", "beta", "replays", "alpha")
"""Settings of single methods."""

_ATTACK = ("modality", "eps", *_OWN)
_FORMER = {"adversarial_eps": "eps", "adversarial_steps": "steps"}
_CONSISTENCY = ("attention_consistency", "feature_consistency", "model_constraint")

FLAGS = ("adversarial", *_ATTACK, *_FORMER, *_CONSISTENCY, "ema")
"""Names of the parameters."""

Adversarial = Annotated[
    str | None, Option(help="pgd, trades, free or fast: learn from attacked inputs.", rich_help_panel=_PANEL)
]
Modality = Annotated[
    str | None, Option(help="rgb, depth, both, alternate or worst; default: both.", rich_help_panel=_PANEL)
]
Eps = Annotated[str | None, Option(help="Radius of the attack; default: 8/255.", rich_help_panel=_PANEL)]
Steps = Annotated[int | None, Option(help="pgd, trades: of the attack; default: 5.", rich_help_panel=_PANEL)]
StepSize = Annotated[str | None, Option(help="pgd, trades: 2/255; default: eps/4.", rich_help_panel=_PANEL)]
Objective = Annotated[str | None, Option(help="pgd, fast: a name of `list objectives`.", rich_help_panel=_PANEL)]
Beta = Annotated[float | None, Option(help="trades: weight of the divergence; default: 6.", rich_help_panel=_PANEL)]
Replays = Annotated[int | None, Option(help="free: steps that see one batch; default: 4.", rich_help_panel=_PANEL)]
Alpha = Annotated[float | None, Option(help="fast: the step, in radii; default: 1.25.", rich_help_panel=_PANEL)]
AdversarialEps = Annotated[str | None, Option(hidden=True)]
AdversarialSteps = Annotated[str | None, Option(hidden=True)]
AttentionConsistency = Annotated[
    float | None, Option(help="Weight: attention as on clean inputs.", rich_help_panel=_PANEL)
]
FeatureConsistency = Annotated[
    float | None, Option(help="Weight: features as the clean --init has them.", rich_help_panel=_PANEL)
]
ModelConstraint = Annotated[
    float | None, Option(help="Weight: maps as the clean --init gives them.", rich_help_panel=_PANEL)
]
Ema = Annotated[float | None, Option(help="Keep averaged weights: 0.995.", rich_help_panel=_PANEL)]


def resolved(flags: Mapping[str, Any], inputs: Sequence[str]) -> dict[str, Any]:
    """The flags of adversarial training with their defaults, checked.

    Args:
        flags: the command's parameters by name.
        inputs: of the network.

    Raises:
        UsageError: for names and values that do not fit, and flags without effect.
    """
    _refuse_former(flags, inputs)
    name = flags["adversarial"]
    if name is None:
        for key in _ATTACK:
            if flags[key] is not None:
                raise UsageError(
                    f"--{key.replace('_', '-')} has no effect without --adversarial {', '.join(MAP_HARDENINGS.names())}"
                )
        return {}

    from rgbdsod.run.threats import DEFAULT_EPS, parse_number

    numbers = {key: None if flags[key] is None else parse_number(flags[key], f"--{key.replace('_', '-')}")
               for key in ("eps", "step_size")}  # fmt: skip
    eps = DEFAULT_EPS if numbers["eps"] is None else numbers["eps"]
    modality = flags["modality"] or ("both" if len(inputs) > 1 else inputs[0])
    found = {**numbers, "eps": eps, "modality": "both" if modality == "joint" else modality}
    hardening({**flags, **found}, inputs)
    return found


def hardening(flags: Mapping[str, Any], inputs: Sequence[str]) -> "MapHardening | None":
    """The method that the resolved flags ask for; None: none.

    Raises:
        UsageError: for names and values that do not fit.
    """
    if flags["adversarial"] is None:
        return None

    from rgbdsod.attacks.budget import Budget, check_eps
    from rgbdsod.attacks.table import MAP_OBJECTIVES
    from rgbdsod.defenses import map_hardening
    from rgbdsod.run.threats import attacked_inputs

    check_eps(flags["eps"], "linf", "--eps")
    modality = flags["modality"]
    sources = modality if modality in ("alternate", "worst") else "joint"
    attacked = attacked_inputs("both" if sources != "joint" else modality, inputs, flags["model"])
    if flags["objective"] is not None:
        MAP_OBJECTIVES[flags["objective"]]
    own = {key: flags[key] for key in _OWN if flags[key] is not None}
    if own.get("step_size", 1) <= 0:
        raise UsageError(f"--step-size {own['step_size']:g} does not move; pass a size above 0, for example 2/255")
    threat = {name: Budget(eps=flags["eps"]) for name in attacked}
    return map_hardening(flags["adversarial"], threat, sources=sources, **own)


def consistency(flags: Mapping[str, Any]) -> "ConsistencySettings | None":
    """The losses that keep the network near its clean self; None: none."""
    given = {key: flags[key] for key in _CONSISTENCY if flags[key] is not None}

    from rgbdsod.run.consistency_settings import ConsistencySettings

    settings = ConsistencySettings(**given)
    return settings if settings.weights else None


def _refuse_former(flags: Mapping[str, Any], inputs: Sequence[str]) -> None:
    """Flags as they were spelt when there was one method."""
    for old, new in _FORMER.items():
        if flags[old] is not None:
            raise UsageError(f"--{old.replace('_', '-')} is --{new} now; type --adversarial pgd --{new} {flags[old]}")
    name = flags["adversarial"]
    if name in (*inputs, "rgb", "depth", "both", "joint"):
        raise UsageError(
            f"--adversarial {name}: it names the method now, and --modality the inputs; "
            f"type --adversarial pgd --modality {name}"
        )
