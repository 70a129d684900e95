"""`rgbdsod transfer`: adversarial examples made on each model, measured on all of them."""

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from typer import Context, Option

from rgbdsod.attacks.table import MAP_OBJECTIVES
from rgbdsod.cli import options
from rgbdsod.cli.attack import settings_of
from rgbdsod.cli.screen import Screen
from rgbdsod.cli.sources import batch_size, known_inputs, open_data, open_model, set_deterministic, split
from rgbdsod.run.plugins import load_plugins

if TYPE_CHECKING:
    from rgbdsod.run.transfer import Cell, TransferMatrix

_ATTACK = "Attack"
_UNUSED = {"goal": "untargeted", "target": None, "levels": None, "eot": 1, "check": False, "prepared": False}
"""Flags of `rgbdsod attack` that a transfer matrix has not."""


def command(
    context: Context,
    models: Annotated[
        str, Option(help="Two or more names of `list models`, or FILE.py:function.", rich_help_panel="What")
    ] = "bbsnet,jldcf,d3net",
    data: options.Data = "demo",
    limit: options.Limit = None,
    ids: options.Ids = None,
    depth_invert: options.DepthInvert = None,
    depth_range: options.DepthRange = None,
    depth_unit: options.DepthUnit = None,
    resize_depth: options.ResizeDepth = False,
    intersect: options.Intersect = False,
    empty: options.Empty = "count",
    attack: Annotated[str, Option(help="A name of `list attacks`.", rich_help_panel=_ATTACK)] = "mifgsm",
    modality: Annotated[
        str | None, Option(help="rgb, depth or both (joint); default: all that have a radius.", rich_help_panel=_ATTACK)
    ] = None,
    eps: Annotated[str | None, Option(help="Radius, 8/255.", rich_help_panel=_ATTACK)] = None,
    eps_rgb: Annotated[str | None, Option(help="Radius of rgb.", rich_help_panel=_ATTACK)] = None,
    eps_depth: Annotated[str | None, Option(help="Radius of depth.", rich_help_panel=_ATTACK)] = None,
    norm: Annotated[
        str | None, Option(help="linf, l2, l1 or l0; default: linf if the attack has it.", rich_help_panel=_ATTACK)
    ] = None,
    steps: Annotated[int | None, Option(help="Steps of a restart.", rich_help_panel=_ATTACK)] = None,
    step_size: Annotated[str | None, Option(help="2/255; default: the attack's own.", rich_help_panel=_ATTACK)] = None,
    restarts: Annotated[int | None, Option(help="Runs; each image keeps its best.", rich_help_panel=_ATTACK)] = None,
    objective: Annotated[str, Option(help="A name of `list objectives`.", rich_help_panel=_ATTACK)] = "bce",
    success: Annotated[str | None, Option(help="Fooled means: iou<0.5, ...", rich_help_panel=_ATTACK)] = None,
    combine: Annotated[
        str, Option(help="What the ensemble averages: logits, probabilities or loss.", rich_help_panel=_ATTACK)
    ] = "logits",
    holes: Annotated[str, Option(help="Unmeasured depth: keep or free.", rich_help_panel=_ATTACK)] = "keep",
    batch: options.Batch = "auto",
    device: options.Device = "auto",
    dtype: options.Dtype = "float32",
    seed: options.Seed = 0,
    deterministic: options.Deterministic = False,
    out: Annotated[
        str | None, Option(help="A folder for matrix.json and matrix.csv; default: none.", rich_help_panel="Run")
    ] = None,
    config: options.Config = None,
    set_: options.Set = None,
    plugin: options.Plugin = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    progress: options.Progress = True,
) -> None:
    """Attack every model, and the ensemble of all others, and measure each model on the results."""
    run_transfer(context.params, context.obj["extra"], context.obj["known"])


def run_transfer(flags: Mapping[str, Any], extra: dict[str, Any], flag_names: list[str]) -> None:
    """Check everything, then attack.

    Args:
        flags: the command's parameters by name.
        extra: settings that are no flags: an attack's own parameters.
        flag_names: names of the flags.
    """
    screen = Screen.of(flags)
    load_plugins(flags["plugin"] or ())
    names = split(flags["models"]) or []
    inputs = {name: known_inputs(name) for name in names}
    MAP_OBJECTIVES[flags["objective"]]  # wrong names are refused before torch is imported
    settings = settings_of({**flags, **_UNUSED}, extra, flag_names, "transfer")
    batch = batch_size(flags["batch"])

    from rgbdsod.run.threats import show_eps
    from rgbdsod.run.transfer import check_matrix, plan_for, transfer_matrix

    check_matrix(names, flags["combine"])
    if known := {name: own for name, own in inputs.items() if own is not None}:
        plan_for(settings, known)  # before models and images are read
    set_deterministic(flags["deterministic"])
    data = open_data(flags, screen)
    models = [open_model({"model": name, "device": flags["device"]}) for name in names]
    plan = plan_for(settings, {model.name: model.inputs for model in models})
    radii = plan.radii[0]
    what = [f"{name} {show_eps(radii[name])}" if name in radii else f"{name} untouched" for name in plan.inputs]
    screen.header(f"models  {', '.join(model.name for model in models)}")
    screen.header(f"data    {data.name}   {len(data)} images   {settings.dtype}, seed {settings.seed}")
    screen.header(f"attack  {settings.attack}   {', '.join([plan.norm, *what])}")
    with screen.progress("transfer", "images") as advance:
        matrix = transfer_matrix(
            models, data, settings=settings, combine=flags["combine"], empty=flags["empty"], batch=batch,
            callback=advance, out=flags["out"],
        )  # fmt: skip
    if screen.as_json:
        screen.document(matrix.document() | {"run": flags["out"]})
        return
    screen.result(_table(matrix))
    if flags["out"] is not None:
        screen.result(f"saved   {flags['out']}/matrix.json and matrix.csv")


def _table(matrix: "TransferMatrix") -> str:
    """Sources as rows, targets as columns; the clean values, then their changes."""
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table

    from rgbdsod.run.tables import success_text

    table = Table(box=SIMPLE, show_edge=False, pad_edge=False)
    table.add_column("made on")
    table.add_column("")
    for cell in matrix.clean:
        table.add_column(f"{cell.target}\n{cell.target_fusion}", justify="right")
    width = len(matrix.models)
    rows = [matrix.cells[at : at + width] for at in range(0, len(matrix.cells), width)]
    for row in [matrix.clean, *rows]:
        table.add_row(*_row(row, matrix.images), end_section=True)
    text = io.StringIO()
    Console(file=text, width=24 * (width + 2), color_system=None).print(table)
    lines = [line.rstrip() for line in text.getvalue().splitlines()]
    lines.append(f"changes from clean; fooled: {success_text(matrix.settings['success'])}, of {matrix.images} images")
    return "\n".join([*lines, *([matrix.note] if matrix.note else [])])


def _row(cells: list["Cell"], images: int) -> list[str]:
    """One source: its name, the measures' titles, and a column of numbers for each target."""
    from rgbdsod.run.definitions import key, title
    from rgbdsod.run.transfer import HELD_OUT, MEASURED

    clean = cells[0].source == "clean"
    columns = []
    for cell in cells:
        shown = [f"{cell.attacked[key(n)]:.3f}" if clean else f"{cell.change[key(n)]:+.3f}" for n in MEASURED]
        columns.append("\n".join([*shown, str(cell.fooled)]))
    titles = "\n".join([*(title(name) for name in MEASURED), "fooled"])
    below = "all others" if cells[0].source == HELD_OUT else cells[0].source_fusion
    return [f"{cells[0].source}\n{below}", titles, *columns]
