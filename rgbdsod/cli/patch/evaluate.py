"""`rgbdsod patch evaluate`: a detector under patches, with defences; or defences on photographs of real patches."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from typer import Context, Option

from rgbdsod.cli import options
from rgbdsod.cli.layers import refuse_unknown
from rgbdsod.cli.patch import guarding as own
from rgbdsod.cli.patch.flags import typed
from rgbdsod.cli.plan import show_work
from rgbdsod.cli.screen import Screen
from rgbdsod.cli.sources import batch_size, given, set_deterministic, show_result, split, target
from rgbdsod.errors import UsageError
from rgbdsod.models.detectors.objective_table import DETECTION_OBJECTIVES
from rgbdsod.models.detectors.table import DETECTORS
from rgbdsod.models.user_code import is_user_code
from rgbdsod.run.patch_defense.choice import names_of, usual_size

if TYPE_CHECKING:
    from rgbdsod.datasets import BoxedSet
    from rgbdsod.run.patch_defense.choice import GuardChoice
    from rgbdsod.run.patch_defense.detect_task import DetectTask

_SOURCES = ("detector", "weights", "classes", "annotations", "images", "n_samples", "image_size", "letterbox",
            "fit_annotations", "fit_images")  # fmt: skip
_USUAL: Mapping[bool, Mapping[str, int]] = {False: {"steps": 50, "draws": 4}, True: {"steps": 1000, "draws": 1}}
"""By whether one patch is for all images."""

_WHAT, _PATCH, _GUARD = "What", "Patch", "Defences"
_DETECTOR = "fcos.tiny"


def evaluate(
    context: Context,
    detector: Annotated[
        str | None, Option(help="A name of `list detectors`, or FILE.py:function.", rich_help_panel=_WHAT)
    ] = None,
    weights: options.Weights = None,
    classes: Annotated[
        str | None, Option(help="A,B,C: what --weights were trained for; default: as released.", rich_help_panel=_WHAT)
    ] = None,
    annotations: Annotated[
        str | None, Option(help="COCO instances file; default: generated scenes of shapes.", rich_help_panel=_WHAT)
    ] = None,
    images: Annotated[str | None, Option(help="The folder with its images.", rich_help_panel=_WHAT)] = None,
    n_samples: Annotated[int | None, Option("--n-samples", help="The first N images.", rich_help_panel=_WHAT)] = None,
    image_size: Annotated[
        str | None, Option(help="HxW that images are brought to; default: the detector's.", rich_help_panel=_WHAT)
    ] = None,
    letterbox: Annotated[
        bool, Option("--letterbox", help="Pad images to squares with grey first.", rich_help_panel=_WHAT)
    ] = False,
    fit_annotations: Annotated[
        str | None,
        Option(help="universal: images to fit on; default: half, or other scenes.", rich_help_panel=_WHAT),
    ] = None,
    fit_images: Annotated[str | None, Option(help="The folder with these images.", rich_help_panel=_WHAT)] = None,
    localise: Annotated[
        str | None,
        Option(help="Instead: where defences see the patches of DIR/images, beside DIR/masks.", rich_help_panel=_WHAT),
    ] = None,
    goal: Annotated[
        str, Option(help="vanish, untargeted, misclass, appear, flood, ...", rich_help_panel=_PATCH)
    ] = "vanish",
    attacked: Annotated[
        str | None, Option("--class", help="Whose objects are attacked; default: all.", rich_help_panel=_PATCH)
    ] = None,
    label: Annotated[str | None, Option(help="misclass, appear: the class to be seen.", rich_help_panel=_PATCH)] = None,
    universal: Annotated[
        bool, Option("--universal", help="One patch for all, fitted on other images.", rich_help_panel=_PATCH)
    ] = False,
    size: Annotated[
        str | None,
        Option(help="Share of the image; of a box's side in boxes. Default: 5%, apde 20%.", rich_help_panel=_PATCH),
    ] = None,
    shape: own.Shape = "square",
    where: own.Where = "random",
    at: own.At = "0.5,0.5",
    transforms: own.Transforms = "none",
    draws: Annotated[
        int | None, Option(help="Of the transforms in one gradient; default: 4, universal 1.", rich_help_panel=_PATCH)
    ] = None,
    steps: Annotated[
        int | None, Option(help="Of a restart; default: 50, universal 1000.", rich_help_panel=_PATCH)
    ] = None,
    restarts: own.Restarts = 1,
    defense: Annotated[
        str | None,
        Option(help="A,B of jpeg, bits, median, tv, lgs, jedi, ...; references are added.", rich_help_panel=_GUARD),
    ] = None,
    thresholds: Annotated[
        str | None, Option(help="Of localisers: calibrated by clean images, paper, or both.", rich_help_panel=_GUARD)
    ] = None,
    calibration: Annotated[
        str | None, Option(help="Folder of clean images that set thresholds.", rich_help_panel=_GUARD)
    ] = None,
    share: own.Share = 0.01,
    aware: own.Aware = True,
    penalty: own.Penalty = "0.1,1,10",
    search: own.Search = "gradient",
    queries: own.Queries = 32,
    checks: own.Checks = True,
    expectation: own.Expectation = 20,
    batch: options.Batch = "auto",
    device: options.Device = "auto",
    seed: options.Seed = 0,
    deterministic: options.Deterministic = False,
    out: options.Out = None,
    name: options.Name = None,
    restart: options.Restart = False,
    config: options.Config = None,
    set_: options.Set = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    progress: options.Progress = True,
    dry_run: options.DryRun = False,
) -> None:
    """Measure a detector under patches, with and without defences; or where defences see the patches in photographs."""
    refuse_unknown(typed(context.obj["extra"]), context.obj["known"], "patch evaluate")
    run_localise(context.params) if localise else run_evaluate(context.params)


def run_evaluate(flags: Mapping[str, Any]) -> None:
    """Check everything, then attack a detector.

    Args:
        flags: the command's parameters by name.
    """
    screen = Screen.of(flags)
    flags = {**flags, "detector": flags["detector"] or _DETECTOR}
    if not is_user_code(flags["detector"]):
        DETECTORS[flags["detector"]]  # raises with a hint
    DETECTION_OBJECTIVES[flags["goal"]]
    batch = batch_size(flags["batch"])
    if wrong := [name for name in ("fit_annotations", "fit_images") if flags[name] and not flags["universal"]]:
        raise UsageError(f"--{wrong[0].replace('_', '-')} is of one patch for all; pass --universal too")
    full = {**flags, "defense": flags["defense"] or "none", "thresholds": flags["thresholds"] or "calibrated"}
    full["size"] = flags["size"] or usual_size(flags["where"])
    full |= {name: flags[name] or usual for name, usual in _USUAL[flags["universal"]].items()}
    choice, size = own.guard_choice(full, "image"), own.image_size(flags["image_size"])
    set_deterministic(flags["deterministic"])
    task = _task(flags, choice, size)
    if flags["dry_run"]:
        show_work(screen, task, target(flags), rows=len(task.data) * len(choice.defenses), size=0)
        return

    from rgbdsod.run.patch_boxed.task import UniversalTask
    from rgbdsod.run.patch_boxed.universal import run_universal
    from rgbdsod.run.patch_defense.evaluate import run_evaluate

    with screen.progress("evaluate", "images") as advance:
        if isinstance(task, UniversalTask):
            result = run_universal(task, target(flags), batch, advance, lambda: _header(screen, task))
        else:
            result = run_evaluate(task, target(flags), batch, advance, lambda: _header(screen, task))
    show_result(screen, result, result.summary(), result.warnings)


def run_localise(flags: Mapping[str, Any]) -> None:
    """Check everything, then look for patches in photographs.

    Args:
        flags: the command's parameters by name.
    """
    screen = Screen.of(flags)
    if wrong := [name for name in ("detector", "weights", "classes", "annotations", "images") if flags[name]]:
        raise UsageError(f"--localise looks at defences alone; leave --{wrong[0]} out")
    batch = batch_size(flags["batch"])

    from rgbdsod.models.device import resolve_device
    from rgbdsod.run.patch_defense.localise import LOCALISERS, localise_task, run_localise

    task = localise_task(
        flags["localise"], defenses=names_of(flags["defense"]) if flags["defense"] else LOCALISERS,
        thresholds=flags["thresholds"], calibration=flags["calibration"], share=flags["share"],
        n_samples=flags["n_samples"], device=resolve_device(flags["device"]),
        given=given(flags, ("localise", "n_samples")),
    )  # fmt: skip
    if flags["dry_run"]:
        show_work(screen, task, target(flags), rows=len(task.data) * len(task.choice.defenses), size=0)
        return
    with screen.progress("localise", "images") as advance:
        result = run_localise(
            task, target(flags), batch, advance,
            lambda: screen.header(f"data    {task.data.name}   {len(task.data)} images"),
        )  # fmt: skip
    show_result(screen, result, result.summary(), result.warnings)


def _task(flags: Mapping[str, Any], choice: "GuardChoice", size: tuple[int, int] | None) -> "DetectTask":
    from rgbdsod.models.detectors.user import open_detector
    from rgbdsod.models.device import resolve_device
    from rgbdsod.run.patch_boxed.universal import fit_set, universal_task
    from rgbdsod.run.patch_defense.evaluate import detect_task, open_boxed

    data: BoxedSet = open_boxed(flags["annotations"], flags["images"], flags["n_samples"])
    device, classes = resolve_device(flags["device"]), split(flags["classes"])
    detector = open_detector(flags["detector"], weights=flags["weights"], classes=classes, device=device)
    task = detect_task(
        detector, data, choice, goal=flags["goal"], attacked=flags["attacked"], label=flags["label"], image_size=size,
        letterbox=flags["letterbox"], calibration=flags["calibration"], device=device, given=given(flags, _SOURCES),
    )  # fmt: skip
    return universal_task(task, fit_set(flags)) if flags["universal"] else task


def _header(screen: Screen, task: "DetectTask") -> None:
    """What is about to be done."""
    choice, patch = task.choice, task.choice.patch
    screen.header(f"model   {task.name}   {getattr(task.detector, 'weights', '')}")
    size = "" if task.data.size is None else f" at {task.data.size[0]}x{task.data.size[1]}"
    screen.header(
        f"data    {task.data.name}   {len(task.data)} images{size}   device {task.device}, seed {choice.seed}"
    )
    screen.header(f"patch   {patch.size} {patch.shape}, {patch.where}, {task.wish.objective}, {patch.steps} steps")
    screen.header(f"guard   {', '.join(choice.defenses)}   thresholds {choice.thresholds}")
