"""`--dry-run`: the resolved settings, how much work they are, and what the run will take on disk."""

from typing import TYPE_CHECKING

from rgbdsod.cli.screen import Screen

if TYPE_CHECKING:
    from rgbdsod.run.attack_task import AttackTask
    from rgbdsod.run.evaluate import EvaluationTask
    from rgbdsod.run.execute import Target, Task

_BYTES = {"rgb": 3.0, "depth": 2.0, "mask": 0.05, "map": 0.5}  # of a PNG, per pixel; noise does not compress


def show_plan(screen: Screen, task: "AttackTask | EvaluationTask", target: "Target") -> None:
    """Print what a run on saliency images would do; nothing is written."""
    turns = len(task.plan.radii) if task.command == "attack" else 1  # type: ignore[union-attr]
    show_work(screen, task, target, rows=len(task.data) * turns, size=_size(task))


def show_work(screen: Screen, task: "Task", target: "Target", *, rows: int, size: int) -> None:
    """Print what a run would do; nothing is written.

    Args:
        screen: where to print.
        task: what would be done.
        target: where it would be written.
        rows: of its table.
        size: bytes of its pictures.
    """
    from rgbdsod.run.folder import folder_path

    settings, images = task.settings(), len(task.data.ids)
    path = folder_path(task.command, settings, task.record(), title=task.title, out=target.out, name=target.name)
    if screen.as_json:
        screen.document(
            {
                "schema": "rgbdsod.plan/1",
                "command": task.command,
                "settings": settings,
                "images": images,
                "rows": rows,
                "bytes": size,
                "run": str(path),
            }
        )
        return
    import tomli_w

    screen.result(tomli_w.dumps(settings).rstrip())
    screen.result(f"work    {images} images, {rows} rows")
    screen.result(f"disk    about {max(size / 1e6, 0.1):.1f} MB in {path}")


def _size(task: "AttackTask | EvaluationTask") -> int:
    """Rough bytes of the pictures that will be written."""
    sizes = task.data.sizes()
    inputs = _BYTES["rgb"] + _BYTES["depth"] + _BYTES["mask"]
    shown = sum(height * width for height, width in sizes[: task.pictures])
    if task.command == "evaluate":
        return round(shown * (inputs + _BYTES["map"]))
    every = sum(height * width for height, width in sizes)
    return round(every * inputs + shown * (2 * inputs + 2 * _BYTES["map"]))
