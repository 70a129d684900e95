"""`rgbdsod bench`: networks x attacks x modalities x radii, over both worlds, in one table; and the leaderboard."""

from collections.abc import Mapping
from typing import Annotated, Any

from typer import Context, Option

from rgbdsod.cli import options
from rgbdsod.cli.layers import refuse_unknown
from rgbdsod.cli.leaderboard import run_board
from rgbdsod.cli.screen import Screen
from rgbdsod.cli.sources import batch_size, set_deterministic, target
from rgbdsod.errors import UsageError
from rgbdsod.run.board.suite import is_board
from rgbdsod.run.plugins import load_plugins

_WHAT, _BOARD = "What", "Leaderboard"
_BOARD_FLAGS = ("submission", "built_in", "allow_code")


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
    """Run suites of attacks on saliency networks and on zero-shot classifiers in one table, or the leaderboard."""
    refuse_unknown(context.obj["extra"], context.obj["known"], "bench")
    load_plugins(plugin or ())
    if is_board(suite):
        run_board(context.params)
        return
    for flag in _BOARD_FLAGS:
        if context.params[flag]:
            raise UsageError(f"--{flag.replace('_', '-')} is for a leaderboard; add --suite rgbdsod-mini")
    run_bench(context.params)


def run_bench(flags: Mapping[str, Any]) -> None:
    """Check everything, then attack.

    Args:
        flags: the command's parameters by name.
    """
    from rgbdsod.run.benchmark.suites import read_suites

    screen, batch = Screen.of(flags), batch_size(flags["batch"])
    read_suites(flags["suite"])  # wrong names are refused before torch is imported

    from rgbdsod.run.benchmark.bench import bench, cases_of

    cases = cases_of(flags["suite"], flags["images"])
    networks = ", ".join(dict.fromkeys(case.model for case in cases))
    screen.header(f"suite   {flags['suite']}   {len(cases)} cases, seed {flags['seed']}")
    screen.header(f"models  {networks}")
    screen.header(f"attack  {', '.join(dict.fromkeys(case.attack for case in cases))}")
    if flags["dry_run"]:
        _plan(screen, flags)
        return
    set_deterministic(flags["deterministic"])
    with screen.progress("bench", "cases") as advance:
        result = bench(
            flags["suite"], images=flags["images"], seed=flags["seed"], device=flags["device"], batch=batch,
            target=target(flags), callback=advance,
        )  # fmt: skip
    if screen.as_json:
        screen.document(result.document | {"run": str(result.folder)})
        return
    if result.reused:
        screen.header("done    already, and read from its folder; --restart repeats it")
    screen.result(result.summary())
    screen.result(f"saved   {result.folder}    open with: rgbdsod report {result.folder}")


def _plan(screen: Screen, flags: Mapping[str, Any]) -> None:
    """Print what would be done; nothing is written."""
    from rgbdsod.run.benchmark.bench import bench_path, cases_of

    cases = cases_of(flags["suite"], flags["images"])
    path = bench_path(flags["suite"], flags["images"], flags["seed"], target(flags))
    rows = sum(len(case.eps) for case in cases)
    if screen.as_json:
        settings = {"suite": flags["suite"], "images": flags["images"], "seed": flags["seed"]}
        screen.document(
            {
                "schema": "rgbdsod.plan/1",
                "command": "bench",
                "settings": {name: value for name, value in settings.items() if value is not None},
                "cases": [case.key for case in cases],
                "rows": rows,
                "run": str(path),
            }
        )
        return
    for case in cases:
        screen.result(f"  {case.model}  {case.data}  {case.attack}  {case.modality}")
    screen.result(f"work    {len(cases)} cases, {rows} rows")
    screen.result(f"folder  {path}")
