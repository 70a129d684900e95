"""`rgbdsod train`: train or fine-tune a network."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import tomli_w
from typer import Context, Option

from rgbdsod.cli import options
from rgbdsod.cli.layers import refuse_unknown
from rgbdsod.cli.screen import Screen
from rgbdsod.cli.sources import command_line, given, known_inputs
from rgbdsod.run.plugins import load_plugins

if TYPE_CHECKING:
    from rgbdsod.datasets import Dataset
    from rgbdsod.run.train import TrainResult
    from rgbdsod.run.training_folder import TrainingFolder

_SETTINGS = ("model", "data", "val", "recipe", "iterations", "epochs", "lr", "batch", "seed", "init", "dtype",
             "validate_every", "plugin")  # fmt: skip
_PASSED = ("recipe", "iterations", "epochs", "lr", "batch", "seed", "init", "dtype", "device", "workers",
           "validate_every", "tensorboard")  # fmt: skip
_TRAIN = "Training"


def command(
    context: Context,
    model: options.Model = "bbsnet",
    data: options.Data = "scenes:20000",
    val: Annotated[str, Option(help="Validation set; its S-measure selects.", rich_help_panel=_TRAIN)] = (
        "scenes:200@128x128#1"
    ),
    recipe: Annotated[
        str, Option(help="small, or bbsnet, jldcf, d3net as published.", rich_help_panel=_TRAIN)
    ] = "small",
    epochs: Annotated[float | None, Option(help="Over the training set; default: 10.", rich_help_panel=_TRAIN)] = None,
    iterations: Annotated[int | None, Option(help="Instead of --epochs.", rich_help_panel=_TRAIN)] = None,
    lr: Annotated[float | None, Option(help="Highest learning rate.", rich_help_panel=_TRAIN)] = None,
    batch: Annotated[int | None, Option(help="Images in a step.", rich_help_panel=_TRAIN)] = None,
    init: Annotated[str | None, Option(help="Weights to begin with.", rich_help_panel=_TRAIN)] = None,
    validate_every: Annotated[int, Option(help="Iterations between validations.", rich_help_panel=_TRAIN)] = 500,
    workers: Annotated[int, Option(help="Processes that read images.", rich_help_panel=_TRAIN)] = 1,
    tensorboard: Annotated[
        bool, Option("--tensorboard", help="Also write TensorBoard.", rich_help_panel=_TRAIN)
    ] = False,
    device: options.Device = "auto",
    dtype: Annotated[str, Option(help="auto, float32 or bfloat16.", rich_help_panel="Run")] = "auto",
    seed: options.Seed = 0,
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
    """Train or fine-tune a network; the same command continues a training that was stopped."""
    refuse_unknown(context.obj["extra"], context.obj["known"], "train")
    run_train(context.params)


def run_train(flags: Mapping[str, Any]) -> None:
    """Check everything, then train.

    Args:
        flags: the command's parameters by name.
    """
    screen = Screen.of(flags)
    load_plugins(flags["plugin"] or ())
    known_inputs(flags["model"])

    from rgbdsod.datasets import load_dataset
    from rgbdsod.run.training_folder import TrainingFolder

    sets = {"data": load_dataset(flags["data"]), "val": load_dataset(flags["val"])}
    folder = TrainingFolder(given(flags, _SETTINGS), flags["model"], sets["data"], flags["out"], flags["name"])
    if flags["dry_run"]:
        _plan(screen, folder, {key: len(images) for key, images in sets.items()})
    else:
        _train(screen, flags, folder, sets)


def _train(screen: Screen, flags: Mapping[str, Any], folder: "TrainingFolder", sets: "dict[str, Dataset]") -> None:
    from rgbdsod.run.train import train as run_training

    screen.header(f"model   {flags['model']}, recipe {flags['recipe']}")
    screen.header(f"data    {sets['data'].name}, {len(sets['data'])} images; validated on {sets['val'].name}")
    passed: dict[str, Any] = {key: flags[key] for key in _PASSED}
    with (
        folder.opened(restart=flags["restart"], arguments=command_line()) as run,
        screen.progress("train", "iterations") as advance,
    ):
        result = run_training(
            flags["model"], data=sets["data"], val=sets["val"], **passed, out=run.path,
            callback=lambda done, total, shown: advance(done, total, _shown(shown)),
        )  # fmt: skip
    _show(screen, result, flags)


def _shown(values: dict[str, float]) -> str:
    return ", ".join(f"{key} {value:.3g}" for key, value in values.items() if key in ("loss", "sm", "mae"))


def _plan(screen: Screen, folder: "TrainingFolder", images: dict[str, int]) -> None:
    if screen.as_json:
        screen.document(
            {
                "schema": "rgbdsod.plan/1",
                "command": "train",
                "settings": dict(folder.settings),
                "images": images["data"],
                "run": str(folder.path),
            }
        )
        return
    screen.result(tomli_w.dumps(folder.settings).rstrip())
    screen.result(f"work    {images['data']} images to train on, {images['val']} to validate on")
    screen.result(f"folder  {folder.path}")


def _show(screen: Screen, result: "TrainResult", flags: Mapping[str, Any]) -> None:
    best = result.folder / "checkpoints" / "best.pt"
    if screen.as_json:
        screen.document(
            {
                "schema": "rgbdsod.train/1",
                "model": flags["model"],
                "data": flags["data"],
                "best": result.best,
                "weights": str(best),
                "run": str(result.folder),
            }
        )
        return
    measures = ", ".join(f"{key} {value:.3f}" for key, value in result.best.items() if key != "iteration")
    screen.result(f"best    iteration {result.best.get('iteration', 0):g}: {measures}")
    screen.result(f"saved   {best}    use with: rgbdsod attack --model {flags['model']} --weights {best}")
