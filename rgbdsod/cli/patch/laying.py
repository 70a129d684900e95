"""What `rgbdsod patch apply --detector` does with its flags."""

from collections.abc import Mapping
from typing import Any

from rgbdsod.cli.patch.guarding import image_size
from rgbdsod.cli.plan import show_work
from rgbdsod.cli.screen import Screen
from rgbdsod.cli.sources import batch_size, given, set_deterministic, show_result, split, target
from rgbdsod.errors import UsageError
from rgbdsod.models.detectors.objective_table import DETECTION_OBJECTIVES
from rgbdsod.models.detectors.table import DETECTORS
from rgbdsod.models.user_code import is_user_code

_SOURCES = ("detector", "weights", "classes", "annotations", "images", "n_samples", "image_size", "letterbox")
_OF_NETWORKS = ("fusion", "encoder", "limit", "ids", "depth_kind")


def run_laid(flags: Mapping[str, Any]) -> None:
    """Check everything, then lay a patch before a detector.

    Args:
        flags: the command's parameters by name.
    """
    screen = Screen.of(flags)
    if wrong := [name for name in _OF_NETWORKS if flags[name] is not None]:
        raise UsageError(f"--{wrong[0].replace('_', '-')} is about saliency networks; leave it out with --detector")
    if not is_user_code(flags["detector"]):
        DETECTORS[flags["detector"]]  # raises with a hint
    if flags["goal"] is not None:
        DETECTION_OBJECTIVES[flags["goal"]]
    batch, size = batch_size(flags["batch"]), image_size(flags["image_size"])
    set_deterministic(flags["deterministic"])

    from rgbdsod.attacks.patch.patch import Patch
    from rgbdsod.models.detectors.user import open_detector
    from rgbdsod.models.device import resolve_device
    from rgbdsod.run.patch.apply_boxed import laid_task
    from rgbdsod.run.patch_defense.evaluate import open_boxed, run_evaluate

    known = Patch.load(flags["patch"])  # a wrong file is refused before detector and images are read
    for text in known.facts.get("assumed", ()):
        screen.warn(text)
    data, device = (
        open_boxed(flags["annotations"], flags["images"], flags["n_samples"]),
        resolve_device(flags["device"]),
    )
    classes = split(flags["classes"])
    detector = open_detector(flags["detector"], weights=flags["weights"], classes=classes, device=device)
    wanted = {name: flags[name] for name in ("size", "where", "at", "seed")}
    task = laid_task(
        flags["patch"], detector, data, wanted, goal=flags["goal"], attacked=flags["attacked"], label=flags["label"],
        image_size=size, letterbox=flags["letterbox"], device=device, given=given(flags, _SOURCES),
    )  # fmt: skip
    if flags["dry_run"]:
        show_work(screen, task, target(flags), rows=len(task.data), size=0)
        return
    header = f"patch   {task.file}, {task.chosen.size}, {task.chosen.where}   on {task.name}, {len(task.data)} images"
    with screen.progress("apply", "images") as advance:
        result = run_evaluate(task, target(flags), batch, advance, lambda: screen.header(header))
    show_result(screen, result, result.summary(), result.warnings)
