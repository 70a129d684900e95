"""`rgbdsod patch stats`: frequencies of patches, and how far they are from photographs."""

import shlex
from collections.abc import Mapping
from typing import Annotated, Any

from typer import Argument, Context, Option

from rgbdsod.cli import options
from rgbdsod.cli.layers import refuse_unknown
from rgbdsod.cli.patch.flags import typed
from rgbdsod.cli.plan import show_work
from rgbdsod.cli.screen import Screen
from rgbdsod.cli.sources import target

_WHAT = "What"
_FILES = "files"  # what a config.toml calls the patches


def stats(
    context: Context,
    patches: Annotated[list[str] | None, Argument(help="Patches: files, their folders, or run folders.")] = None,
    reference: Annotated[
        str, Option(help="Photographs to be near to: a folder, a data set, or demo.", rich_help_panel=_WHAT)
    ] = "demo",
    embedder: Annotated[
        str, Option(help="random, clip-demo, sal-demo or inception.", rich_help_panel=_WHAT)
    ] = "random",
    weights: Annotated[
        str | None, Option(help="inception: the file of the original weights.", rich_help_panel=_WHAT)
    ] = None,
    appearances: Annotated[int, Option(help="Of each file or run, and as many crops.", rich_help_panel=_WHAT)] = 256,
    transforms: Annotated[
        str, Option(help="Under which patches and crops are seen: print, hard, none, ...", rich_help_panel=_WHAT)
    ] = "print",
    seed: options.Seed = 0,
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
    """Measure the frequencies of patches, and how far their appearances are from crops of photographs."""
    extra = typed(context.obj["extra"])
    recorded = str(extra.pop(_FILES, ""))
    refuse_unknown(extra, context.obj["known"], "patch stats")
    run_stats({**context.params, "patches": patches or [path for path in recorded.split(",") if path]})


def run_stats(flags: Mapping[str, Any]) -> None:
    """Check everything, then measure and draw.

    Args:
        flags: the command's parameters by name.
    """
    from rgbdsod.run.patch_stats import stats as room

    screen = Screen.of(flags)
    own = {name: flags[name] for name in ("reference", "embedder", "weights", "appearances", "transforms", "seed")}
    task = room.stats_task(flags["patches"], **own)
    if flags["dry_run"]:
        show_work(screen, task, target(flags), rows=len(task.data.found), size=0)
        return
    with screen.progress("stats", "sets") as advance:
        result = room.run_stats(task, target(flags), advance)
    if result.folder is not None and not result.outcome.reused:
        from rgbdsod.report.patch_stats.figures import write_stats_figures

        write_stats_figures(result.metrics, result.folder)
    if screen.as_json:
        screen.document(result.document())
        return
    if result.outcome.reused:
        screen.header("done    already, and read from its folder; --restart repeats it")
    screen.result(result.summary())
    folder = shlex.quote(str(result.folder))
    screen.result(f"saved   {folder}    spectra.svg, distances.svg; open with: rgbdsod report {folder}")
