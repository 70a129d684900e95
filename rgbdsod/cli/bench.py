"""`rgbdsod bench`: a grid of networks x data x attacks x modalities x radii x seeds in one table; the leaderboard."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from typer import Context, Exit, Option

from rgbdsod.cli import options
from rgbdsod.cli.grid import show_grid
from rgbdsod.cli.layers import refuse_unknown
from rgbdsod.cli.leaderboard import run_board
from rgbdsod.cli.screen import Screen, say_error
from rgbdsod.cli.sources import batch_size, set_deterministic, target
from rgbdsod.cli.ways import Way
from rgbdsod.errors import UsageError
from rgbdsod.run.board.suite import is_board
from rgbdsod.run.plugins import load_plugins

if TYPE_CHECKING:
    from rgbdsod.run.benchmark.cell import Cell

_WHAT, _RUN, _BOARD = "What", "Run", "Leaderboard"
_BOARD_FLAGS = ("submission", "built_in", "allow_code")
_GRID_FLAGS = ("keep_going", "shard", "ray", "gpus_per_task")
_MOST_NAMES = 8


def command(
    context: Context,
    suite: Annotated[
        str,
        Option(
            help="A,B of quick, standard, cross, FILE.toml; or rgbdsod-mini, the leaderboard.", rich_help_panel=_WHAT
        ),
    ] = "quick",
    images: Annotated[
        int | None, Option(help="Of each data set; default: the suite's own number.", rich_help_panel=_WHAT)
    ] = None,
    keep_going: Annotated[
        bool, Option("--keep-going", help="A cell that fails is written down; the others go on.", rich_help_panel=_RUN)
    ] = False,
    shard: options.Shard = None,
    ray: options.Ray = None,
    gpus_per_task: options.GpusPerTask = None,
    submission: Annotated[
        list[str] | None, Option(help="CARD.toml of a network or defence for the leaderboard.", rich_help_panel=_BOARD)
    ] = None,
    built_in: Annotated[
        bool, Option("--built-in", help="With submissions also the built-in entries.", rich_help_panel=_BOARD)
    ] = False,
    allow_code: Annotated[
        bool, Option("--allow-code", help="Run the Python files that cards name.", rich_help_panel=_BOARD)
    ] = False,
    plugin: options.Plugin = None,
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
    """Run grids of attacks on saliency networks and on zero-shot classifiers in one table, or the leaderboard."""
    refuse_unknown(context.obj["extra"], context.obj["known"], "bench")
    load_plugins(plugin or ())
    board = is_board(suite)
    for flag in _GRID_FLAGS if board else _BOARD_FLAGS:
        if context.params[flag]:
            cure = "leave it out" if board else "add --suite rgbdsod-mini"
            raise UsageError(f"--{flag.replace('_', '-')} is for a {'grid' if board else 'leaderboard'}; {cure}")
    if board:
        run_board(context.params)
    else:
        run_bench(context.params)


def run_bench(flags: Mapping[str, Any]) -> None:
    """Check everything, then attack.

    Args:
        flags: the command's parameters by name.
    """
    from rgbdsod.run.benchmark.suites import cells_of

    screen, way, batch = Screen.of(flags), Way.of(flags), batch_size(flags["batch"])
    cells = cells_of(flags["suite"], images=flags["images"], seed=flags["seed"])
    _header(screen, flags, cells)
    if flags["dry_run"]:
        show_grid(screen, flags, cells, batch)
        return

    from rgbdsod.run.benchmark.bench import bench

    set_deterministic(flags["deterministic"])
    with screen.progress("bench", "cells") as advance:
        work = partial(
            bench, flags["suite"], images=flags["images"], seed=flags["seed"], device=way.device(flags["device"]),
            batch=batch, keep_going=flags["keep_going"],
        )  # fmt: skip
        result = way.bench(work, target=target(flags), callback=advance)
    if screen.as_json:
        screen.document(result.document | {"run": str(result.folder)})
    else:
        if result.reused:
            screen.header("done    already, and read from its folder; --restart repeats it")
        screen.result(result.summary())
        screen.result(f"saved   {result.folder}    open with: rgbdsod report {result.folder}")
    if result.failures:
        say_error(f"{len(result.failures)} of {len(cells)} cells failed; the same command tries them again")
        raise Exit(result.failures[0]["code"])


def _header(screen: Screen, flags: Mapping[str, Any], cells: Sequence["Cell"]) -> None:
    """What is about to be done."""

    def listed(names: Iterable[str]) -> str:
        found = list(dict.fromkeys(names))
        return ", ".join(found[:_MOST_NAMES]) + (f" and {len(found) - _MOST_NAMES} more" if found[_MOST_NAMES:] else "")

    seeds = ", ".join(map(str, sorted({cell.seed for cell in cells})))
    part = f", part {flags['shard']}" if flags["shard"] else ""
    screen.header(f"suite   {flags['suite']}   {len(cells)} cells, seed {seeds}{part}")
    screen.header(f"models  {listed(cell.contender.label for cell in cells)}")
    screen.header(f"data    {listed(cell.data for cell in cells)}")
    screen.header(f"attack  {listed(cell.assault.label for cell in cells)}")
