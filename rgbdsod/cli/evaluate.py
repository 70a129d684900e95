"""`rgbdsod evaluate`: clean metrics of a model, or of ready maps with no model."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Context, Option

from rgbdsod.cli import options
from rgbdsod.cli.layers import refuse_unknown
from rgbdsod.cli.plan import show_plan
from rgbdsod.cli.screen import Screen
from rgbdsod.cli.sharing import show_share
from rgbdsod.cli.sources import (
    batch_size,
    given,
    known_inputs,
    open_data,
    open_model,
    set_deterministic,
    show_result,
    split,
    target,
    working_size,
)
from rgbdsod.cli.ways import Way
from rgbdsod.errors import UsageError
from rgbdsod.run.plugins import load_plugins

if TYPE_CHECKING:
    from rgbdsod.run.evaluate import EvaluationTask

_SOURCES = ("model", "weights", "fusion", "encoder", "maps", "data", "limit", "ids", "depth_invert", "depth_range",
            "depth_unit", "resize_depth", "intersect", "empty", "plugin")  # fmt: skip
_PROTOCOLS = {"minmax": "benchmark", "none": "raw"}
"""In the order of the table's columns."""


def command(
    context: Context,
    model: Annotated[
        str | None,
        Option(help="A name of `list models`, or FILE.py:function; default: bbsnet.", rich_help_panel="What"),
    ] = None,
    weights: options.Weights = None,
    fusion: options.Fusion = None,
    encoder: options.Encoder = None,
    size: options.Size = None,
    maps: Annotated[str | None, Option(help="A folder of ready maps, ID.png.", rich_help_panel="What")] = None,
    data: options.Data = "demo",
    limit: options.Limit = None,
    ids: options.Ids = None,
    depth_invert: options.DepthInvert = None,
    depth_range: options.DepthRange = None,
    depth_unit: options.DepthUnit = None,
    resize_depth: options.ResizeDepth = False,
    intersect: options.Intersect = False,
    empty: options.Empty = "count",
    metrics: Annotated[str | None, Option(help="mae,sm,...; default: all.", rich_help_panel="What")] = None,
    postprocess: Annotated[
        str, Option(help="Of the maps, for the table: minmax, none, or both.", rich_help_panel="What")
    ] = "minmax,none",
    batch: options.Batch = "auto",
    device: options.Device = "auto",
    deterministic: options.Deterministic = False,
    out: options.Out = None,
    name: options.Name = None,
    restart: options.Restart = False,
    shard: options.Shard = None,
    ray: options.Ray = None,
    gpus_per_task: options.GpusPerTask = None,
    config: options.Config = None,
    set_: options.Set = None,
    plugin: options.Plugin = None,
    save_images: options.SaveImages = "auto",
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    progress: options.Progress = True,
    dry_run: options.DryRun = False,
) -> None:
    """Measure the maps of a model, or of ready maps."""
    refuse_unknown(context.obj["extra"], context.obj["known"], "evaluate")
    run_evaluate(context.params)


def run_evaluate(flags: Mapping[str, Any]) -> None:
    """Check everything, then measure.

    Args:
        flags: the command's parameters by name.
    """
    screen, way, batch = Screen.of(flags), Way.of(flags), batch_size(flags["batch"])
    protocols = _protocols(flags["postprocess"])
    arguments = {"flags": {**flags, "device": way.device(flags["device"])}}
    task = task_of(arguments, screen)
    if flags["dry_run"]:
        show_plan(screen, task, target(flags))
    else:
        _evaluate(screen, task, arguments, batch, way, protocols)


def task_of(arguments: Mapping[str, Any], screen: Screen | None = None) -> "EvaluationTask":
    """The evaluation of some flags, everything checked, nothing started.

    Args:
        arguments: "flags" of the command; they travel to Ray's workers, too.
        screen: shows what is odd about the images; None: nobody is there to see it.
    """
    flags, screen = arguments["flags"], screen or Screen(quiet=True)
    load_plugins(flags["plugin"] or ())
    if flags["maps"] is None:
        flags = {**flags, "model": flags["model"] or "bbsnet"}
        known_inputs(flags["model"], flags.get("fusion"))
        flags["size"] = working_size(flags)
    for key in ("model", "size"):
        if flags["maps"] is not None and flags[key] is not None:
            raise UsageError(f"--maps DIR needs no model; leave out --{key}, or --maps")
    set_deterministic(flags["deterministic"])

    from rgbdsod.run.evaluate import ModelMaps, evaluation_task
    from rgbdsod.run.readymaps import MapFolder

    source = ModelMaps(open_model(flags, flags["size"])) if flags["maps"] is None else MapFolder(Path(flags["maps"]))
    return evaluation_task(
        source, open_data(flags, screen), metrics=split(flags["metrics"]), empty=flags["empty"],
        save_images=flags["save_images"], given=given(flags, _SOURCES),
    )  # fmt: skip


def _evaluate(
    screen: Screen, task: "EvaluationTask", arguments: Mapping[str, Any], batch: int | None, way: Way,
    protocols: list[str],
) -> None:  # fmt: skip
    from rgbdsod.run.results import EvalResult
    from rgbdsod.run.tables import evaluation_table

    def head() -> None:
        screen.header(f"maps    {task.source.name}")
        screen.header(f"data    {task.data.name}   {len(task.data)} images")

    with screen.progress("evaluate", "images") as advance:
        outcome = way.execute(
            task, task_of, arguments, target=target(arguments["flags"]), device=task.source.device, batch=batch,
            callback=advance, on_open=head,
        )  # fmt: skip
    if not outcome.complete:
        show_share(screen, outcome, way.share)
        return
    result = EvalResult(outcome)
    show_result(screen, result, evaluation_table(result.metrics, protocols))


def _protocols(text: str) -> list[str]:
    """The columns that `--postprocess` asks for."""
    wanted = split(text) or []
    for word in wanted or [text]:
        if word not in _PROTOCOLS:
            raise UsageError(f'--postprocess "{word}": expected minmax, none, or both with a comma')
    return [protocol for word, protocol in _PROTOCOLS.items() if word in wanted]
