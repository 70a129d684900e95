"""What a fine-tuning is asked to do: a preset with what the user changed, checked. No torch here."""

from collections.abc import Mapping
from dataclasses import fields, replace
from math import ceil
from typing import Any, TypedDict

from rgbdsod.defenses.zero_shot.presets import TUNING_PRESETS, TuningPreset
from rgbdsod.defenses.zero_shot.settings import check_choice
from rgbdsod.defenses.zero_shot.table import METHODS
from rgbdsod.errors import UsageError

DEFAULT_METHOD = "tga-zsr"
BUILT_IN = "clip.demo"


class Changes(TypedDict, total=False):
    """What a user sets instead of a preset's value; None leaves it.

    eps: radius of the inner attack in units of the [0, 1] image; its step keeps its share of it.
    steps: of the inner attack; step_size: likewise.
    optimizer: "sgd" or "adamw"; lr, momentum, weight_decay: its own.
    batch: images in an update.
    iterations: updates; epochs: passes over the data instead.
    warmup: updates in which the rate rises.
    schedule: "cosine" or "constant".
    attack_space: "native" or "model", see `rgbdsod.clip.pixels`.
    prompts: "fixed" or "as-released"; template: of the prompts, with {} for the class name.
    settings: of the method, by name.
    """

    eps: float | None
    steps: int | None
    step_size: float | None
    optimizer: str | None
    lr: float | None
    momentum: float | None
    weight_decay: float | None
    batch: int | None
    iterations: int | None
    epochs: int | None
    warmup: int | None
    schedule: str | None
    attack_space: str | None
    prompts: str | None
    template: str | None
    settings: Mapping[str, Any] | None


_PLAIN = ("optimizer", "lr", "momentum", "weight_decay", "batch", "warmup", "schedule", "attack_space", "prompts",
          "template")  # fmt: skip


def choose_preset(method: str | None, preset: str | None, model: str | None) -> TuningPreset:
    """The preset that a training begins from.

    Args:
        method: a name of `METHODS`; None: the preset's, or tga-zsr.
        preset: a name of `TUNING_PRESETS`; None: the method's usual one for the model, that of the small study for the
            built-in model and that of Tiny-ImageNet for all others.
        model: its name; None: the built-in one.

    Raises:
        UsageError: unknown names, or a preset of another method.
    """
    if preset is not None:
        found = TUNING_PRESETS[preset]
        if method is not None and METHODS[method].name != found.method:
            raise UsageError(f'preset "{preset}" is of method {found.method}, not {method}; leave one of the two out')
        return found
    name = METHODS[method or DEFAULT_METHOD].name
    own = model is None or is_built_in(model)
    return TUNING_PRESETS[f"{name}/{'glyphs/small' if own else 'tinyimagenet/vit-b-32'}"]


def is_built_in(model: str) -> bool:
    """Whether a name means the small dual encoder in the package."""
    return model in (BUILT_IN, BUILT_IN.partition(".")[0])


def start_of(plan: TuningPreset) -> str:
    """The name of the model that a preset starts from."""
    return BUILT_IN if plan.model == "small" else plan.model


def changed(plan: TuningPreset, changes: Changes) -> TuningPreset:
    """A preset with a user's changes.

    Raises:
        UsageError: a value that makes no sense.
    """
    given: dict[str, Any] = {name: value for name, value in changes.items() if value is not None}
    _check(given)
    attack = plan.attack.at(given["eps"]) if "eps" in given else plan.attack
    attack = replace(attack, **{name: given[name] for name in ("steps", "step_size") if name in given})
    new = {name: given[name] for name in _PLAIN if name in given}
    if "iterations" in given:
        new |= {"epochs": None, "steps": given["iterations"]}
    elif "epochs" in given:
        new |= {"epochs": given["epochs"], "steps": None}
    result = replace(plan, attack=attack, settings={**plan.settings, **given.get("settings", {})}, **new)
    for name in ("optimizer", "schedule", "prompts", "attack_space"):
        check_choice(name, getattr(result, name), TuningPreset.__annotations__[name])
    return result


def plan_tuning(model: str | None, method: str | None, preset: str | None, changes: Changes) -> TuningPreset:
    """What a training will do, checked without a model or data.

    Args:
        model, method, preset: see `choose_preset`.
        changes: of the preset.

    Raises:
        UsageError: names and values that do not fit.
    """
    plan = changed(choose_preset(method, preset, model), changes)
    plan.build()  # refuses values that the method's settings cannot have
    return replace(plan, model=model or start_of(plan))


def per_epoch(plan: TuningPreset, images: int) -> int:
    """Updates in one pass over the images; the last one may have fewer images."""
    return ceil(images / plan.batch)


def updates(plan: TuningPreset, images: int) -> int:
    """Updates in all.

    Args:
        plan: says how many, or how many passes over the data.
        images: that are learned from.

    Raises:
        UsageError: the rate would still rise when the training ends.
    """
    total = plan.steps if plan.steps is not None else (plan.epochs or 0) * per_epoch(plan, images)
    if plan.warmup >= total:
        raise UsageError(
            f"the rate rises for {plan.warmup} updates, but there are {total} in all; "
            f"pass --warmup {total // 10}, or more --iterations"
        )
    return total


def check_model(plan: TuningPreset, normalization: str, name: str) -> None:
    """Refuse a model whose pixels are normalised otherwise than a preset asks for.

    Raises:
        UsageError: so.
    """
    if plan.normalization != normalization:
        raise UsageError(
            f'preset "{plan.name}" normalises with {plan.normalization}, but {name} with {normalization}; use another '
            f'preset of {plan.method}, or load the model with normalization="{plan.normalization}"'
        )


def read_settings(method: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """A method's own settings as they were typed.

    Args:
        method: a name of `METHODS`.
        given: by name; text is read as the type of the setting's default.

    Raises:
        UsageError: a setting that the method has not, or text that is none of its values.
    """
    defaults = {field.name: field.default for field in fields(METHODS[method].load())}
    read = {}
    for name, value in given.items():
        if name not in defaults:
            has = ", ".join(defaults) or "none"
            raise UsageError(f'method {method} has no setting "{name}"; its own are {has} (rgbdsod clip train --help)')
        read[name] = _read(name, value, defaults[name]) if isinstance(value, str) else value
    return read


def _read(name: str, text: str, default: Any) -> Any:
    from rgbdsod.run.threats import parse_number

    if isinstance(default, bool):
        if text.lower() not in ("true", "false", "1", "0"):
            raise UsageError(f"--set {name}={text}: expected true or false")
        return text.lower() in ("true", "1")
    if isinstance(default, str):
        return text
    if default is None and text.lower() == "none":
        return None
    value = parse_number(text, f"--set {name}")
    if isinstance(default, int):
        if value != int(value):
            raise UsageError(f"--set {name}={text}: expected a whole number")
        return int(value)
    return value


def _check(given: Mapping[str, Any]) -> None:
    """Refuse what no preset could have."""
    if "epochs" in given and "iterations" in given:
        raise UsageError("give --iterations or --epochs, not both")
    if "eps" in given:
        from rgbdsod.attacks.budget import check_eps

        check_eps(given["eps"], "linf", "--eps")
    for name in ("steps", "batch", "epochs", "iterations"):
        if given.get(name, 1) < 1:
            raise UsageError(f"--{name} {given[name]} is too few; pass 1 or more")
    if not 0 < given.get("lr", 0.1) < 1:
        raise UsageError(f"--lr {given['lr']:g}: a learning rate lies between 0 and 1")
    if not 0 < given.get("step_size", 0.1) <= 1:
        raise UsageError(f"--step-size {given['step_size']:g}: a step is above 0 and at most 1")
    if given.get("warmup", 0) < 0:
        raise UsageError(f"--warmup {given['warmup']}: pass 0 updates or more")
    for name in ("momentum", "weight_decay"):
        if not 0 <= given.get(name, 0.0) < 1:
            raise UsageError(f"--{name.replace('_', '-')} {given[name]:g}: pass a number from 0 to 1, without 1")
