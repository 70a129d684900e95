"""`rgbdsod bench` of a leaderboard: its own entries, or those that cards describe."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rgbdsod.cli.screen import Screen
from rgbdsod.cli.sources import batch_size, set_deterministic, target

if TYPE_CHECKING:
    from rgbdsod.run.board.leaderboard import Plan


def run_board(flags: Mapping[str, Any]) -> None:
    """Check everything, then attack.

    Args:
        flags: the command's parameters by name.
    """
    from rgbdsod.run.board.entry import read_card
    from rgbdsod.run.board.suite import read_board

    screen, batch = Screen.of(flags), batch_size(flags["batch"])
    cards = [part.strip() for text in flags["submission"] or () for part in text.split(",") if part.strip()]
    read_board(flags["suite"])  # what is wrong with it or with a card is said before torch is imported
    for path in cards:
        read_card(path)

    from rgbdsod.run.board.leaderboard import planned, run_leaderboard

    plan = planned(
        flags["suite"], submissions=cards, built_in=flags["built_in"] or None if cards else None,
        allow_code=flags["allow_code"], images=flags["images"], seed=flags["seed"],
    )  # fmt: skip
    _header(screen, plan)
    if flags["dry_run"]:
        _plan(screen, plan, flags)
        return
    set_deterministic(flags["deterministic"])
    with screen.progress("bench", "cells") as advance:
        result = run_leaderboard(plan, device=flags["device"], batch=batch, target=target(flags), callback=advance)
    if screen.as_json:
        screen.document(result.document | {"run": str(result.folder)})
        return
    if result.reused:
        screen.header("done    already, and read from its folder; --restart repeats it")
    screen.result(result.summary())
    screen.result(f"saved   {result.folder}    open with: rgbdsod report {result.folder}")


def _header(screen: Screen, plan: "Plan") -> None:
    """What is about to be done."""
    from rgbdsod.run.threats import show_eps

    board = plan.board
    radii = ", ".join(show_eps(eps) for eps in board.eps)
    screen.header(f"suite   {board.title}   {plan.images or board.images} images of {board.data}, seed {plan.seed}")
    screen.header(f"attack  {', '.join(board.modality)} within {radii}")
    for entry in plan.entries:
        screen.header(f"entry   {entry.name}: {entry.model}{'' if entry.chain == 'none' else f' behind {entry.chain}'}")


def _plan(screen: Screen, plan: "Plan", flags: Mapping[str, Any]) -> None:
    """Print what would be done; nothing is written."""
    path, rows = plan.path(target(flags)), len(plan.entries) * len(plan.board.places)
    if screen.as_json:
        screen.document(
            {
                "schema": "rgbdsod.plan/1",
                "command": "bench",
                "settings": plan.settings(),
                "cases": [entry.name for entry in plan.entries],
                "rows": rows,
                "run": str(path),
            }
        )
        return
    screen.result(f"work    {len(plan.entries)} entries, {rows} rows")
    screen.result(f"folder  {path}")
