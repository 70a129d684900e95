"""`rgbdsod bench --dry-run`: what a grid will cost; nothing is written."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rgbdsod.cli.screen import Screen
from rgbdsod.cli.sources import target

if TYPE_CHECKING:
    from rgbdsod.run.benchmark.cell import Cell
    from rgbdsod.run.benchmark.plan import Guess, Planned

_MOST_LINES = 40


def show_grid(screen: Screen, flags: Mapping[str, Any], cells: Sequence["Cell"], batch: int | None) -> None:
    """Print cells, images, passes, what is done, and how long the rest may take.

    Args:
        screen: where to print.
        flags: the command's parameters by name.
        cells: of the suite.
        batch: images at once; None chooses.
    """
    from rgbdsod.run.benchmark.bench import CELLS, bench_path
    from rgbdsod.run.benchmark.networks import Opener
    from rgbdsod.run.benchmark.plan import guess, planned

    path = bench_path(flags["suite"], flags["images"], flags["seed"], target(flags))
    opener = Opener(flags["device"])
    plan = planned(cells, path / CELLS, opener)
    if problem := next((own.problem for own in plan if own.problem), ""):
        screen.warn(f"{sum(bool(own.problem) for own in plan)} cells cannot be measured, the first because {problem}")
    found = guess(plan, opener, batch)
    if screen.as_json:
        screen.document(_document(flags, plan, found) | {"run": str(path)})
        return
    for own in plan[:_MOST_LINES]:
        screen.result(f"  {own.cell.label}   {_state(own)}")
    if len(plan) > _MOST_LINES:
        screen.result(f"  and {len(plan) - _MOST_LINES} more")
    totals = _totals(plan)
    screen.result(f"work    {len(plan)} cells, {totals['finished']} of them finished; {totals['left']} images are left")
    unknown = f"; unknown of {totals['unknown']} cells" if totals["unknown"] else ""
    screen.result(
        f"passes  {totals['forward']:,} forward, {totals['backward']:,} backward, of attacks on images{unknown}"
    )
    if found is not None:
        screen.result(f"time    about {_clock(found.seconds)} ({found.basis})")
    screen.result(f"folder  {path}")


def _state(own: "Planned") -> str:
    if own.problem:
        return "cannot be measured"
    if not own.left:
        return f"{own.images} images, finished"
    count = "passes unknown" if own.forward is None else f"{own.forward} + {own.backward} passes each"
    return f"{own.images} images, {own.done} done; {count}"


def _totals(plan: Sequence["Planned"]) -> dict[str, int]:
    return {
        "finished": sum(own.images is not None and own.left == 0 for own in plan),
        "left": sum(own.left for own in plan),
        "forward": sum(own.left * (own.forward or 0) for own in plan),
        "backward": sum(own.left * (own.backward or 0) for own in plan),
        "unknown": sum(own.left > 0 and own.forward is None for own in plan),
    }


def _document(flags: Mapping[str, Any], plan: Sequence["Planned"], found: "Guess | None") -> dict[str, Any]:
    settings = {"suite": flags["suite"], "images": flags["images"], "seed": flags["seed"]}
    totals = _totals(plan)
    return {
        "schema": "rgbdsod.plan/1",
        "command": "bench",
        "settings": {name: value for name, value in settings.items() if value is not None},
        "cells": [
            {
                "cell": own.cell.label,
                "folder": own.key,
                "images": own.images,
                "done": own.done,
                "forward": own.forward,
                "backward": own.backward,
                "problem": own.problem or None,
            }
            for own in plan
        ],
        "images": totals["left"],
        "forward": totals["forward"],
        "backward": totals["backward"],
        "seconds": None if found is None else round(found.seconds, 3),
        "basis": None if found is None else found.basis,
    }


def _clock(seconds: float) -> str:
    """A time as people say it."""
    if seconds < 120:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
