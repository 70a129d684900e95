"""What `rgbdsod patch make` and `patch apply` do with their flags."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rgbdsod.cli.plan import show_work
from rgbdsod.cli.screen import Screen
from rgbdsod.cli.sources import (
    batch_size,
    describe_model,
    given,
    known_inputs,
    open_data,
    open_model,
    set_deterministic,
    show_result,
    target,
)
from rgbdsod.run.plugins import load_plugins

if TYPE_CHECKING:
    from rgbdsod.run.patch.settings import PatchSettings
    from rgbdsod.run.patch.task import PatchTask

_SOURCES = ("model", "weights", "fusion", "encoder", "data", "fit_data", "limit", "ids", "depth_invert", "depth_range",
            "depth_unit", "resize_depth", "intersect", "empty", "plugin")  # fmt: skip
_BYTES = 10  # of the PNGs of an image and its patch, per pixel


def run_make(flags: Mapping[str, Any]) -> None:
    """Check everything, then seek and measure.

    Args:
        flags: the command's parameters by name.
    """
    screen = Screen.of(flags)
    load_plugins(flags["plugin"] or ())
    inputs, batch = known_inputs(flags["model"], flags["fusion"]), batch_size(flags["batch"])
    settings = _settings(flags)
    if inputs is not None:
        settings.attacked(inputs, flags["model"])  # before model and images are read
    set_deterministic(flags["deterministic"])

    from rgbdsod.run.patch.make import make_task

    data, model = open_data(flags, screen), open_model(flags)
    fit = None if flags["fit_data"] is None else open_data({**flags, "data": flags["fit_data"], "ids": None}, screen)
    task = make_task(
        model, data, settings, fit_data=fit, empty=flags["empty"], save_images=flags["save_images"],
        given=given(flags, _SOURCES),
    )  # fmt: skip
    _run(screen, task, flags, batch, "patch")


def run_apply(flags: Mapping[str, Any]) -> None:
    """Check everything, then lay and measure; or only print.

    Args:
        flags: the command's parameters by name.
    """
    screen = Screen.of(flags)
    if flags["sheet"] is not None:
        _print(screen, flags)
        return
    load_plugins(flags["plugin"] or ())
    known_inputs(flags["model"], flags["fusion"])
    batch = batch_size(flags["batch"])
    set_deterministic(flags["deterministic"])

    from rgbdsod.attacks.patch.patch import Patch
    from rgbdsod.run.patch.apply import apply_task

    known = Patch.load(flags["patch"])  # a wrong file is refused before model and images are read
    for text in known.facts.get("assumed", ()):
        screen.warn(text)
    data, model = open_data(flags, screen), open_model(flags)
    wanted = {name: flags[name] for name in ("size", "where", "at", "depth_kind", "goal", "seed")}
    task = apply_task(
        flags["patch"], model, data, wanted, modality=flags["modality"], empty=flags["empty"],
        save_images=flags["save_images"], given=given(flags, _SOURCES),
    )  # fmt: skip
    _run(screen, task, flags, batch, "apply")


def _print(screen: Screen, flags: Mapping[str, Any]) -> None:
    """The sheet alone: no network is asked."""
    from rgbdsod.attacks.patch.patch import Patch
    from rgbdsod.run.patch.sheet import print_sheet

    path = print_sheet(Patch.load(flags["patch"]), flags["sheet"], width=flags["sheet_width"])
    if flags["json"]:
        screen.document({"schema": "rgbdsod.patch-sheet/1", "file": str(path), "width_mm": flags["sheet_width"]})
        return
    screen.result(f"sheet   {path}    {flags['sheet_width']:g} mm wide; print at 100 %")


def _settings(flags: Mapping[str, Any]) -> "PatchSettings":
    from rgbdsod.run.patch.settings import PatchSettings
    from rgbdsod.run.threats import parse_number

    own = {name: flags[name] for name in PatchSettings.__dataclass_fields__ if name in flags}
    if own["step_size"] is not None:
        own["step_size"] = parse_number(own["step_size"], "--step-size")
    return PatchSettings(**own).checked()


def _run(screen: Screen, task: "PatchTask", flags: Mapping[str, Any], batch: int | None, label: str) -> None:
    if flags["dry_run"]:
        size = _BYTES * sum(height * width for height, width in task.data.sizes())
        show_work(screen, task, target(flags), rows=len(task.data), size=size)
        return

    from rgbdsod.run.patch.make import run_patch

    with screen.progress(label, "images") as advance:
        result = run_patch(task, target(flags), batch=batch, callback=advance, on_open=lambda: _header(screen, task))
    note = result.metrics["note"]
    show_result(screen, result, f"{result.summary()}\n{note}" if note else result.summary())


def _header(screen: Screen, task: "PatchTask") -> None:
    """What is about to be done."""
    from rgbdsod.run.modeling import device_of

    chosen = task.chosen
    screen.header(f"model   {describe_model(task.model)}")
    screen.header(
        f"data    {task.data.name}   {len(task.data)} images   device {device_of(task.model)}, {chosen.dtype}, "
        f"seed {chosen.seed}"
    )
    parts = [chosen.goal, f"{task.modality}, {chosen.size} of an image, {chosen.where}"]
    parts += [f"depth {chosen.depth_mode}"] if "depth" in task.attacked else []
    if task.command == "patch make":
        own = "universal" if chosen.universal else "one for each image"
        parts += [own, f"transforms {chosen.transforms}", f"{chosen.steps} steps"]
    screen.header(f"patch   {', '.join(parts)}")
