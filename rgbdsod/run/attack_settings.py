"""What an attack run is asked to do: checked once, and written down so that the same run can be made again."""

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from rgbdsod.attacks.success import parse_success
from rgbdsod.attacks.table import ATTACKS, MAP_OBJECTIVES
from rgbdsod.errors import UsageError
from rgbdsod.run.modeling import check_dtype
from rgbdsod.run.threats import Eps, Radii, all_radii, attacked_inputs, parse_number

Holes = Literal["keep", "free"]

USUAL_SUCCESS = {"untargeted": "iou<0.5", "hide": "iou<0.5", "paint": "target-iou>=0.5"}
"""When an image counts as fooled, by goal."""

_DENSE = {"jsma": "; use jsma-dense", "apgd-t": "; use autoattack"}
_NUMBER = re.compile(r"[-+.\d].*")
_BUDGET_FLAGS = ("--eps", "--norm")
_SEVERAL_STEPS = ("steps", "step_size", "restarts")


@dataclass(frozen=True, kw_only=True, eq=False)
class AttackSettings:
    """All that an attack's numbers depend on, beside model and data.

    Args:
        attack: a name of `list_attacks()`.
        modality: the input to attack, or "both"; None: those that `eps` names, else all.
        space: for models that read HHA: "hha" moves the channels, "depth" and "metric" move depth before the encoding,
            with the radius in units of [0, 1] or in metres; None: "hha".
        eps: radius in units of the [0, 1] input: a number, several to try one after another, or either by input.
        norm: "linf", "l2", "l1" or "l0"; None: linf, or the first that the attack takes.
        parameters: the attack's own, such as `steps`; None leaves its default.
        objective: what the attack raises, a name of `MAP_OBJECTIVES`.
        goal: "untargeted", "hide" or "paint".
        target: paint only: the map to paint, uint8 (H, W) or a picture's path; brought to each image's size.
        success: when an image counts as fooled, such as "iou<0.5"; None: the goal's usual rule.
        seed: of random starts.
        levels: grid that the attack itself rounds to, 255 or 65535; None: only the saved files are rounded.
        holes: "keep" leaves depth alone where nothing was measured, "free" does not.
        dtype: what the network computes in during the attack; the verdict is float32 in any case.
        eot: how many passes one gradient is the mean of, for models that answer at random.
        prepared: attack a frozen copy of the network with BatchNorm folded and channels last, which gives the same
            outputs sooner; what is measured is the network itself.
        check: put the attack beside what must be weaker, equal or stronger, on a few of the images.
    """

    attack: str = "pgd"
    modality: str | None = None
    space: str | None = None
    eps: Eps | None = None
    norm: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    objective: str = "bce"
    goal: str = "untargeted"
    target: str | Path | NDArray[np.uint8] | None = None
    success: str | None = None
    seed: int = 0
    levels: int | None = None
    holes: Holes = "keep"
    dtype: str = "float32"
    eot: int = 1
    check: bool = False
    prepared: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class AttackPlan:
    """Settings that fit a model.

    Args:
        settings: as given.
        inputs: of the model; attacked: those that may change.
        norm: in use.
        radii: one set of radii for each value in the lists of eps.
        parameters: the attack's own, with defaults filled in.
        success: the rule in use.
    """

    settings: AttackSettings
    inputs: tuple[str, ...]
    attacked: tuple[str, ...]
    norm: str
    radii: list[Radii]
    parameters: dict[str, Any]
    success: str

    @classmethod
    def of(cls, settings: AttackSettings, inputs: tuple[str, ...], model: str) -> "AttackPlan":
        """Check settings against a model's inputs and the tables.

        Raises:
            UsageError: naming what does not fit, and what does.
        """
        row = ATTACKS[settings.attack]
        attacked = attacked_inputs(settings.modality, inputs, model, settings.eps)
        if row.outputs == "classes":
            instead = _DENSE.get(row.name, "")
            raise UsageError(f'attack "{row.name}" needs class scores, and {model} predicts maps{instead}')
        norm = settings.norm or ("linf" if "linf" in row.norms else row.norms[0])
        if norm not in row.norms:
            raise UsageError(f'attack "{row.name}" has norms {", ".join(row.norms)}; got --norm {norm}')
        eps = row.eps if settings.eps is None else settings.eps
        radii = all_radii(attacked, eps, norm, bounded=row.aim == "strongest")
        if settings.eot < 1:
            raise UsageError(f"--eot {settings.eot} is the mean of nothing; pass 1 or more")
        if settings.objective not in MAP_OBJECTIVES:
            MAP_OBJECTIVES[settings.objective]  # raises with a hint
        if settings.holes not in get_args(Holes):
            raise UsageError(f'--holes "{settings.holes}": expected keep or free')
        if settings.levels not in (None, 255, 65535):
            raise UsageError(f"--levels {settings.levels}: expected 256 (8 bit) or 65536 (16 bit)")
        check_dtype(settings.dtype)
        return cls(
            settings=settings,
            inputs=inputs,
            attacked=attacked,
            norm=norm,
            radii=radii,
            parameters=own_parameters(row.name, settings.parameters),
            success=_success(settings),
        )

    @property
    def modality(self) -> str:
        """What is attacked, in one word: "both", or an input."""
        return "both" if self.attacked == self.inputs and len(self.inputs) > 1 else "+".join(self.attacked)

    def record(self) -> dict[str, Any]:
        """The settings in TOML's types, under the names of the command line's flags."""
        chosen = self.settings
        record: dict[str, Any] = {"attack": chosen.attack, "modality": self.modality, "norm": self.norm}
        record |= {f"eps_{name}": [radii[name] for radii in self.radii] for name in self.attacked}
        record |= {name: value for name, value in self.parameters.items() if value is not None}
        record |= {"objective": chosen.objective, "goal": chosen.goal, "success": self.success, "holes": chosen.holes}
        record |= {"seed": chosen.seed, "dtype": chosen.dtype}
        if chosen.eot > 1:
            record["eot"] = chosen.eot
        record |= {name: True for name in ("check", "prepared") if getattr(chosen, name)}
        if chosen.levels is not None:
            record["levels"] = chosen.levels
        if isinstance(chosen.target, (str, Path)):
            record["target"] = str(chosen.target)
        elif chosen.target is not None:
            record["target"] = f"array {chosen.target.shape}"
        return record


def _success(settings: AttackSettings) -> str:
    """The success rule in use; the goal's usual one where none is given."""
    if settings.goal not in USUAL_SUCCESS:
        raise UsageError(f'no goal "{settings.goal}"; goals are {", ".join(USUAL_SUCCESS)}')
    if (settings.goal == "paint") != (settings.target is not None):
        verb = "needs" if settings.goal == "paint" else "takes no"
        raise UsageError(f"--goal {settings.goal} {verb} --target FILE, the map to paint")
    rule = settings.success or USUAL_SUCCESS[settings.goal]
    parse_success(rule)
    return rule


def own_parameters(attack: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """An attack's own parameters: those given, then its defaults.

    Args:
        attack: its name.
        given: by name; text is read as the default's type; None is not given.

    Raises:
        UsageError: for one that the attack does not take.
    """
    defaults = ATTACKS[attack].parameters()
    found = dict(defaults)
    for name, value in given.items():
        if value is None:
            continue
        if name not in defaults:
            raise UsageError(_refusal(attack, name, tuple(defaults)))
        found[name] = _read(name, value, defaults[name]) if isinstance(value, str) else value
    lacking = [name for name, value in found.items() if value is inspect.Parameter.empty]
    if lacking:
        raise UsageError(f'attack "{attack}" needs {_flag(lacking[0])}')
    return found


def _refusal(attack: str, name: str, takes: tuple[str, ...]) -> str:
    flags = " ".join((*_BUDGET_FLAGS, *map(_flag, takes)))
    cure = "; for several steps use --attack pgd" if name in _SEVERAL_STEPS else ""
    return f'attack "{attack}" takes no {_flag(name)} (it takes {flags}){cure}'


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _read(name: str, text: str, default: Any) -> Any:
    """A parameter from the command line."""
    if isinstance(default, bool):
        if text.lower() not in ("true", "false", "yes", "no", "1", "0"):
            raise UsageError(f"{_flag(name)} {text}: expected true or false")
        return text.lower() in ("true", "yes", "1")
    if isinstance(default, str):
        return text
    if default is None and not _NUMBER.fullmatch(text.strip()):
        return text
    value = parse_number(text, _flag(name))
    if default is None and value == int(value) and text.strip().isdigit():
        return int(value)
    if isinstance(default, int):
        if value != int(value):
            raise UsageError(f"{_flag(name)} {text}: expected a whole number")
        return int(value)
    return value
