"""`rgbdsod.run.defend`: a saliency network behind input defences, attacked unknowingly and knowingly."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from rgbdsod.datasets import Dataset, load_dataset
from rgbdsod.defenses import Chain, compose
from rgbdsod.models import SaliencyModel
from rgbdsod.run.attack_settings import AttackPlan, AttackSettings
from rgbdsod.run.defense.choice import USUAL, WEIGHTS, DefenseChoice, Effort, texts_of
from rgbdsod.run.defense.door import check_attack
from rgbdsod.run.defense.equip import equipped
from rgbdsod.run.defense.result import DefenseResult
from rgbdsod.run.defense.task import CALIBRATION_IMAGES, DefenseTask
from rgbdsod.run.execute import ImageCallback, Target, execute
from rgbdsod.run.modeling import device_of, get_data, get_model, inputs_of
from rgbdsod.run.rehearsal import rehearse
from rgbdsod.run.survey import check_images
from rgbdsod.run.threats import Eps

SEED = 2**21 + 1
"""Of the generated scenes that set limits: no test and no training has them."""


def defend(
    model: str | SaliencyModel = "bbsnet",
    data: str | Path | Dataset = "demo:scenes",
    *,
    defenses: str | Sequence[str | Chain] = USUAL,
    attack: str = "pgd",
    modality: str | None = None,
    eps: Eps | None = None,
    norm: str | None = None,
    objective: str = "bce",
    calibration: str | Path | Dataset | None = None,
    fpr: float = 0.05,
    aware: bool = True,
    effort: Effort = "standard",
    penalties: Sequence[float] = WEIGHTS,
    search: bool = False,
    queries: int = 500,
    expectation: int = 4,
    draws: int = 5,
    checks: bool = True,
    seed: int = 0,
    batch: int | None = None,
    out: str | Path | None = None,
    restart: bool = False,
    callback: ImageCallback | None = None,
    **parameters: Any,
) -> DefenseResult:
    """Measure a network behind defences under attacks that do not know them, and under attacks that do.

    The unaware attack is made once, on the undefended network. For each defence, and for none, others go through it, as
    `rgbdsod.run.defense.aware.table` lists them. "Aware" is for each image the worst of all these and the unaware one.

    Args:
        model: a name of `list_models()`, or a model.
        data: a name of `list_datasets()`, a folder, or a data set.
        defenses: texts such as "jpeg(quality=50)+tv" (see `rgbdsod.defenses.compose`), separated by commas, or chains
            that are ready; "none" is always there.
        attack: a name of `list_attacks()` that has a radius.
        modality: the input to attack, or "both"; None: those that `eps` names, else all.
        eps: radius in units of the [0, 1] input, for all attacked inputs or by input.
        norm: of the radius; None: linf, or the first that the attack takes.
        objective: what the attacks raise.
        calibration: clean images that set limits; None: other generated scenes where the data are generated, else the
            data themselves.
        fpr: share of them that a detector may accuse.
        aware: whether attacks are made that know the defence.
        effort: how many: "quick", "standard" or "thorough".
        penalties: weights of the detector's score in their loss, one attack for each.
        search: also a search by scores alone (Square) at less than thorough effort, for gradients that lead nowhere.
        queries: of that search.
        expectation: draws of a random defence of which one gradient is the mean.
        draws: of a random defence that one verdict is the mean of.
        checks: whether the attacks themselves are tested, on the first three images.
        seed: of everything random; with an image's id it decides starts and draws.
        batch: images at once; None chooses.
        out: the run folder; None writes nothing.
        restart: begin anew in a folder that is there.
        callback: called with (images done, images in all).
        parameters: the attack's own, such as `steps`.

    Returns:
        The measures, with `.summary()`, `.samples`, `.document()` and `.save(folder)`.

    Raises:
        UsageError: names, settings, orders and values that do not fit. DataError: images that cannot be read.

    Example:
        >>> from rgbdsod.run import defend
        >>> result = defend("bbsnet", "scenes:4@128x128#5", defenses="median+detect", steps=5)  # doctest: +SKIP
        >>> print(result.summary())  # doctest: +SKIP
    """
    texts = [one for one in ([defenses] if isinstance(defenses, str) else defenses) if isinstance(one, str)]
    extra = [] if isinstance(defenses, str) else [one for one in defenses if not isinstance(one, str)]
    choice = DefenseChoice(
        defenses=texts_of(",".join(texts)) if texts else (), fpr=fpr, aware=aware, effort=effort,
        weights=tuple(penalties), search=search, queries=queries, expectation=expectation, draws=draws, checks=checks,
    )  # fmt: skip
    settings = AttackSettings(
        attack=attack, modality=modality, eps=eps, norm=norm, objective=objective, seed=seed, parameters=parameters
    )  # fmt: skip
    task = defense_task(
        get_model(model), get_data(data), settings, choice, calibration=calibration, extra=extra
    )  # fmt: skip
    return run_defense(task, None if out is None else Target(out=out, restart=restart), batch, callback)


def defense_task(
    model: SaliencyModel,
    data: Dataset,
    settings: AttackSettings,
    choice: DefenseChoice,
    *,
    calibration: str | Path | Dataset | None = None,
    extra: Sequence[Chain] = (),
    given: Mapping[str, Any] | None = None,
) -> DefenseTask:
    """Everything checked, nothing started; arguments as for `defend`.

    Args:
        model, data, settings, choice: what to do.
        calibration, extra: see `defend`.
        given: how a command line named model and data; they are recorded so.
    """
    choice = choice.checked()
    chains = [*(compose(text, seed=settings.seed) for text in choice.defenses), *extra]
    chains = [equipped(chain, model) for chain in chains]
    plan = AttackPlan.of(settings, model.inputs, model.name)
    check_attack(plan)
    rehearse(plan)
    switched = any(chain.switch for chain in chains)
    clean, warnings = _clean(calibration, data) if switched else (None, [])
    named = {"model": model.name, "data": data.name} if given is None else dict(given)
    if calibration is not None and not switched:
        get_data(calibration)  # a wrong name is refused all the same
        warnings.append("no defence here sets limits by clean images, so --calibration has no use")
    elif calibration is not None:
        named["calibration"] = calibration.name if isinstance(calibration, Dataset) else str(calibration)
    warnings += [text for chain in chains for text in _unwatched(chain, plan)]
    images, said = check_images(data, "skip"), list(dict.fromkeys(warnings))
    _try(chains, model, images, choice.fpr)
    return DefenseTask(model, images, clean, plan, choice, chains, tuple(one.name for one in extra), named, said)


def run_defense(
    task: DefenseTask,
    target: Target | None,
    batch: int | None = None,
    callback: ImageCallback | None = None,
    on_open: Callable[[], None] | None = None,
) -> DefenseResult:
    """Run a task, or continue it, or read its results; arguments as for `rgbdsod.run.execute.execute`."""
    device = device_of(task.model)
    return DefenseResult(execute(task, target=target, device=device, batch=batch, callback=callback, on_open=on_open))


@torch.no_grad()
def _try(chains: Sequence[Chain], model: SaliencyModel, data: Dataset, fpr: float) -> None:
    """Settings that the images do not allow, such as a window larger than they are, are refused before any work."""
    sample = data[0]
    batch = inputs_of([sample], model.inputs, device_of(model))
    inputs = {name: batch[name] for name in model.inputs}
    for chain in chains:
        with chain.installed():
            chain.given([sample.id], "rehearsal").calibrate(inputs, fpr)(inputs)


def _unwatched(chain: Chain, plan: AttackPlan) -> list[str]:
    """What is to be said where a detector does not watch what is attacked."""
    seen = plan.attacked if chain.switch is None else chain.switch.watched
    missed = [name for name in plan.attacked if name not in seen]
    return [f"{chain.name} watches {' and '.join(seen)}, and the attack is on {' and '.join(missed)}"] if missed else []


def _clean(calibration: str | Path | Dataset | None, data: Dataset) -> tuple[Dataset, list[str]]:
    """Images that set limits, and what is to be said of them."""
    if calibration is not None:
        return get_data(calibration), []
    if data.name.startswith(("scenes", "demo:scenes")):
        height, width = data.sizes()[0]
        return load_dataset(f"scenes:{CALIBRATION_IMAGES}@{height}x{width}#{SEED}"), []
    return data, ["limits are set by the clean images that are measured; pass --calibration DATA to set them by others"]
