"""`rgbdsod ablate`: what the place where RGB and depth meet changes, or what a network really uses there."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from typer import Context, Option

from rgbdsod.cli import options, stages
from rgbdsod.cli.layers import refuse_unknown
from rgbdsod.cli.screen import Screen
from rgbdsod.cli.sources import batch_size, open_data, parse_size, split, target
from rgbdsod.errors import UsageError
from rgbdsod.run.plugins import load_plugins

if TYPE_CHECKING:
    from rgbdsod.datasets import Dataset
    from rgbdsod.run.ablation.grid import Grid

_GRID, _ATTACK = "Networks to compare", "Attack"
_USUAL = {"attack": "pgd", "modality": "rgb,depth,both", "eps": "2/255,4/255,8/255", "steps": 20}
_OF_STAGES = ("weights", "encoder")
"""Flags that only an ablation of stages has."""


def command(
    context: Context,
    model: Annotated[str, Option(help="One or several names of `list models`: A,B.", rich_help_panel=_GRID)] = "bbsnet",
    fusion: Annotated[
        str | None,
        Option(help="Designs of `info MODEL`: A,B; default: all, with rgb and depth.", rich_help_panel=_GRID),
    ] = None,
    training: Annotated[
        str,
        Option(
            help="plain, dropout, itc, itc-dense, itm, masked, adversarial-rgb|depth|both; NAME:VALUE sets its weight, "
            "share or radius.",
            rich_help_panel=_GRID,
        ),
    ] = "plain",
    seeds: Annotated[str, Option(help="Of the trainings: A,B.", rich_help_panel=_GRID)] = "0,1",
    train_data: Annotated[
        str, Option(help="Training set; A+3*B joins and repeats sets.", rich_help_panel=_GRID)
    ] = "scenes:8000",
    iterations: Annotated[int, Option(help="Steps of each training.", rich_help_panel=_GRID)] = 1500,
    train_batch: Annotated[int | None, Option(help="Images in a step of training.", rich_help_panel=_GRID)] = None,
    lr: Annotated[float | None, Option(help="Highest learning rate.", rich_help_panel=_GRID)] = None,
    size: options.Size = None,
    cache: Annotated[
        str, Option(help="Folder of trained networks, for all ablations.", rich_help_panel=_GRID)
    ] = "runs/ablate/weights",
    data: options.Data = "scenes:32@128x128#1048578",
    limit: options.Limit = None,
    ids: options.Ids = None,
    attack: Annotated[
        str | None, Option(help="Names of `list attacks`: A,B; default: pgd.", rich_help_panel=_ATTACK)
    ] = None,
    modality: Annotated[
        str | None, Option(help="rgb, depth, both (joint): A,B; default: all three.", rich_help_panel=_ATTACK)
    ] = None,
    eps: Annotated[
        str | None, Option(help="Radii of both inputs; default: 2/255,4/255,8/255.", rich_help_panel=_ATTACK)
    ] = None,
    steps: Annotated[int | None, Option(help="Steps of each attack; default: 20.", rich_help_panel=_ATTACK)] = None,
    objective: Annotated[str, Option(help="A name of `list objectives`.", rich_help_panel=_ATTACK)] = "bce",
    transfer: Annotated[
        bool, Option(help="Also measure examples of each design on the others.", rich_help_panel=_ATTACK)
    ] = True,
    stage: stages.Stage = None,
    stream: stages.Stream = None,
    mode: stages.ModeFlag = None,
    weights: options.Weights = None,
    encoder: options.Encoder = None,
    batch: options.Batch = "auto",
    device: options.Device = "auto",
    workers: Annotated[int, Option(help="Processes that read images for training.", rich_help_panel="Run")] = 1,
    seed: Annotated[int, Option(help="Of the attacks' random starts.", rich_help_panel="Run")] = 0,
    out: options.Out = None,
    name: options.Name = None,
    restart: options.Restart = False,
    config: options.Config = None,
    set_: options.Set = None,
    plugin: options.Plugin = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    progress: options.Progress = True,
    dry_run: options.DryRun = False,
) -> None:
    """Train designs that differ in one thing, attack each input of each, and compare; or act on one trained network.

    With --stage, --stream or --mode the network of --model is not trained: one of its streams is replaced where the
    streams meet.
    """
    refuse_unknown(context.obj["extra"], context.obj["known"], "ablate")
    if any(context.params[name] for name in stages.FLAGS):
        stages.run_stages(context.params)
    else:
        run_grid(context.params)


def run_grid(flags: Mapping[str, Any]) -> None:
    """Check everything, then train and attack.

    Args:
        flags: the command's parameters by name.
    """
    screen = Screen.of(flags)
    for name in _OF_STAGES:
        if flags[name] is not None:
            raise UsageError(f"--{name} is for one trained network; pass --stage all too, or leave it out")
    load_plugins(flags["plugin"] or ())
    flags = {**flags, **{name: value for name, value in _USUAL.items() if flags[name] is None}}
    batch, grid = batch_size(flags["batch"]), grid_of(flags)

    from rgbdsod.run.ablation.ablate import ablate

    images = open_data(flags, screen)
    _header(screen, grid, flags, f"{images.name}   {len(images)} images")
    if flags["dry_run"]:
        _plan(screen, grid, flags, images)
        return
    with screen.progress("ablate", "networks") as advance:
        result = ablate(
            grid, images, weights=flags["cache"], target=target(flags), device=flags["device"],
            workers=flags["workers"], batch=batch, callback=advance,
        )  # fmt: skip
    if screen.as_json:
        screen.document(result.document | {"run": str(result.folder)})
        return
    if result.reused:
        screen.header("done    already, and read from its folder; --restart repeats it")
    screen.result(result.summary())
    screen.result(f"saved   {result.folder}    open with: rgbdsod report {result.folder}")


def grid_of(flags: Mapping[str, Any]) -> "Grid":
    """What the flags ask for.

    Raises:
        UsageError: for names and values that do not fit.
    """
    from rgbdsod.run.ablation.grid import Grid, Schooling
    from rgbdsod.run.threats import parse_eps

    schooling = Schooling(
        data=flags["train_data"], iterations=flags["iterations"], batch=flags["train_batch"], lr=flags["lr"],
        size=parse_size(flags["size"]),
    )  # fmt: skip
    return Grid(
        model=tuple(split(flags["model"]) or ()),
        fusion=tuple(split(flags["fusion"]) or ()),
        training=tuple(split(flags["training"]) or ()),
        seeds=tuple(_whole(text) for text in split(flags["seeds"]) or ()),
        schooling=schooling,
        attacks=tuple(split(flags["attack"]) or ()),
        modality=tuple(split(flags["modality"]) or ()),
        eps=tuple(parse_eps(flags["eps"])),
        steps=flags["steps"],
        objective=flags["objective"],
        transfer=flags["transfer"],
        seed=flags["seed"],
    )


def _header(screen: Screen, grid: "Grid", flags: Mapping[str, Any], images: str) -> None:
    """What is about to be done."""
    from rgbdsod.run.ablation.ablate import works
    from rgbdsod.run.threats import show_eps

    networks, lacking, runs = works(grid, flags["cache"])
    seeds = ", ".join(map(str, grid.seeds))
    screen.header(f"models  {networks} networks of {', '.join(grid.model)}; seeds {seeds}; {lacking} to be trained")
    screen.header(f"train   {grid.schooling.data}, {grid.schooling.iterations} steps")
    screen.header(f"data    {images}")
    radii = ", ".join(show_eps(eps) for eps in grid.eps)
    screen.header(f"attack  {', '.join(grid.attacks)} on {', '.join(grid.modality)}   {radii}; {runs} runs")


def _plan(screen: Screen, grid: "Grid", flags: Mapping[str, Any], images: "Dataset") -> None:
    from rgbdsod.run.ablation.ablate import ablation_path, works

    networks, lacking, runs = works(grid, flags["cache"])
    if screen.as_json:
        screen.document(
            {
                "schema": "rgbdsod.plan/1",
                "command": "ablate",
                "settings": grid.record(),
                "images": len(images),
                "networks": [network.key for network in grid.networks],
                "training": lacking,
                "runs": runs,
                "run": str(ablation_path(grid, images, target(flags))),
            }
        )
        return
    import tomli_w

    screen.result(tomli_w.dumps(grid.record()).rstrip())
    screen.result(f"work    {networks} networks, {lacking} of them to be trained; {runs} runs of {len(images)} images")
    screen.result(f"folder  {ablation_path(grid, images, target(flags))}")


def _whole(text: str) -> int:
    if not text.isdigit():
        raise UsageError(f"--seeds {text}: expected whole numbers from 0 on, such as 0,1")
    return int(text)
