"""What `rgbdsod clip evaluate` and `rgbdsod clip attack` do with their flags."""

import shlex
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rgbdsod.cli.clip.bounds import Bounds, check_bounds, read_bounds
from rgbdsod.cli.plan import show_work
from rgbdsod.cli.screen import Screen
from rgbdsod.cli.sources import batch_size, given, set_deterministic, split, target
from rgbdsod.errors import UsageError
from rgbdsod.run.clip.attacks import find_attack

if TYPE_CHECKING:
    from rgbdsod.run.clip.opening import DualEncoder
    from rgbdsod.run.clip.result import ZeroShotResult
    from rgbdsod.run.clip.settings import ZeroShotSettings
    from rgbdsod.run.clip.task import ZeroShotTask

_SOURCES = (
    "model", "weights", "original", "activation", "normalization",
    "data", "data_root", "split", "n_samples", "template",
)  # fmt: skip
_SHOWN = 32  # images whose pictures a report shows


def run_evaluate(flags: Mapping[str, Any]) -> None:
    """Check everything, then measure.

    Args:
        flags: the command's parameters by name.
    """
    screen = Screen.of(flags)
    settings = _settings(flags)
    bounds = read_bounds(flags["fail_under"], attacked=bool(settings.attacks))
    task = _task(screen, flags, settings, "clip evaluate")
    _run(screen, task, flags, "evaluate", bounds)


def run_attack(flags: Mapping[str, Any]) -> None:
    """Check everything, then attack and write the pictures.

    Args:
        flags: the command's parameters by name.
    """
    screen = Screen.of(flags)
    settings = _settings(flags)
    bounds = read_bounds(flags["fail_under"], attacked=True)
    for name, values in (("--attack", settings.attacks), ("--eps", settings.eps)):
        if len(values) != 1:
            raise UsageError(f"{name} names {len(values)}, but pictures are of one; pass one, or use clip evaluate")
    task = _task(screen, flags, settings, "clip attack")
    _run(screen, task, flags, "attack", bounds)


def _settings(flags: Mapping[str, Any]) -> "ZeroShotSettings":
    """What the flags say of prompts and attacks; a wrong name is refused before torch is imported."""
    attacks = tuple(split(flags["attack"]) or ())
    for name in attacks:
        find_attack(name)
    batch_size(flags["batch"])

    from rgbdsod.run.clip.settings import ZeroShotSettings, usual_eps
    from rgbdsod.run.threats import parse_eps
    from rgbdsod.run.weight_line import parse_path

    released = flags.get("as_released", False)
    return ZeroShotSettings(
        attacks=attacks,
        eps=parse_eps(flags["eps"]) if flags["eps"] else (usual_eps(flags["model"]),),
        eps_l2=None if flags["eps_l2"] is None else parse_eps(flags["eps_l2"], "--eps-l2")[0],
        steps=flags["steps"],
        verdict=flags.get("verdict") or ("last" if released else "any"),
        as_released=released,
        attack_space=flags["attack_space"],
        templates=flags["templates"],
        dtype=flags["dtype"],
        loss_scale=flags["loss_scale"],
        seed=flags["seed"],
        path=parse_path(flags["interpolate"]) if flags.get("interpolate") else (),
    ).checked()


def _task(screen: Screen, flags: Mapping[str, Any], settings: "ZeroShotSettings", command: str) -> "ZeroShotTask":
    from rgbdsod.run.clip.evaluate import zero_shot_task
    from rgbdsod.run.clip.images import GLYPH_TASKS, open_sets
    from rgbdsod.run.clip.keeping import Keeper
    from rgbdsod.run.clip.texts import checked_templates, prompts_variant

    set_deterministic(flags["deterministic"])
    names = split(flags["data"]) if flags["data"] is not None else list(GLYPH_TASKS)
    data = open_sets(
        names or (), root=flags["data_root"], split=flags["split"], template=flags["template"],
        prompts=prompts_variant(checked_templates(settings.templates)), count=flags["n_samples"], seed=settings.seed,
    )  # fmt: skip
    named = given({**flags, "data": ",".join(names or ())}, _SOURCES)
    encoder = _encoder(screen, flags, settings)
    keeper = Keeper(frozenset(data.ids[:_SHOWN])) if command == "clip attack" else None
    return zero_shot_task(encoder, data, settings, given=named, command=command, keeper=keeper)


def _encoder(screen: Screen, flags: Mapping[str, Any], settings: "ZeroShotSettings") -> "DualEncoder":
    """The model; what its loader warns of is shown like every other warning."""
    from rgbdsod.run.clip.opening import open_dual_encoder

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", UserWarning)
        encoder = open_dual_encoder(
            flags["model"], flags["weights"], flags["original"], activation=flags["activation"],
            normalization=flags["normalization"], device=flags["device"], keep_original=bool(settings.path),
        )  # fmt: skip
    for warning in told:
        screen.warn(str(warning.message))
    return encoder


def _run(screen: Screen, task: "ZeroShotTask", flags: Mapping[str, Any], label: str, bounds: Bounds) -> None:
    if flags["dry_run"]:
        chosen = task.chosen
        turns = len(chosen.eps) * max(1, len(chosen.path))
        kept = task.keeper is not None
        show_work(screen, task, target(flags), rows=len(task.data) * turns, size=_bytes(task) if kept else 0)
        return

    from rgbdsod.run.clip.evaluate import run_zero_shot

    for text in task.notes():
        screen.warn(text)
    with screen.progress(label, "images") as advance:
        result = run_zero_shot(
            task, target(flags), batch=batch_size(flags["batch"]), callback=advance,
            on_open=lambda: _header(screen, task, usual=flags["eps"] is None),
        )  # fmt: skip
    _show(screen, result, known=len(task.notes()))
    check_bounds(result.metrics, bounds, result.folder)


def _header(screen: Screen, task: "ZeroShotTask", *, usual: bool) -> None:
    """What is about to be done."""
    from rgbdsod.run.threats import show_eps

    chosen, record = task.chosen, task.encoder.record()
    method = f", tuned by {record['method']}" if record["method"] else ""
    screen.header(f"model   {record['name']}   {record['source']}{method}, sha256 {record['sha256'][:8]}")
    screen.header(
        f"data    {task.data.name}   {len(task.data)} images   "
        f"device {task.encoder.model.device}, {chosen.dtype}, seed {chosen.seed}"
    )
    own = ["as released" if chosen.as_released else f"verdict {chosen.verdict}", f"{chosen.attack_space} pixels"]
    radii = ",".join(map(show_eps, chosen.eps)) + (" (usual for this model)" if usual else "")
    screen.header(f"attack  {', '.join(chosen.attacks) or 'none'}   eps {radii}, {', '.join(own)}")


def _show(screen: Screen, result: "ZeroShotResult", known: int) -> None:
    """The document, or the table, what is suspicious, and where the run lies."""
    if screen.as_json:
        screen.document(result.document())
        return
    if result.outcome.reused:
        screen.header("done    already, and read from its folder; --restart repeats it")
    screen.result(result.summary())
    for text in result.warnings[known:]:
        screen.warn(text)
    folder = result.folder
    screen.result(f"saved   {folder}    open with: rgbdsod report {shlex.quote(str(folder))}")


def _bytes(task: "ZeroShotTask") -> int:
    """Rough bytes of the pictures: noise does not compress."""
    return sum(3 * height * width for data in task.data.sets for height, width in map(data.size, range(len(data))))
