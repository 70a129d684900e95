"""`rgbdsod train`: train or fine-tune a network."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Context, Option

from rgbdsod.cli import alignment, hardening, options
from rgbdsod.cli.layers import refuse_unknown
from rgbdsod.cli.screen import Screen
from rgbdsod.cli.sources import command_line, given, known_inputs, working_size
from rgbdsod.errors import UsageError
from rgbdsod.models.fusions import with_fusion
from rgbdsod.models.table import MODELS
from rgbdsod.run.plugins import load_plugins
from rgbdsod.run.ranks import Meeting, Ranks

if TYPE_CHECKING:
    from rgbdsod.datasets import Dataset
    from rgbdsod.run.trainer import TrainResult
    from rgbdsod.run.training_folder import TrainingFolder

_SETTINGS = ("model", "fusion", "encoder", "size", "data", "val", "recipe", "iterations", "epochs", "lr", "batch",
             "seed", "init", "dtype", "validate_every", "plugin", *hardening.FLAGS, *alignment.FLAGS)  # fmt: skip
_PASSED = ("fusion", "encoder", "size", "recipe", "iterations", "epochs", "lr", "batch", "seed", "init", "dtype",
           "device", "workers", "validate_every", "tensorboard")  # fmt: skip
_TRAIN = "Training"


def command(
    context: Context,
    model: Annotated[str, Option(help="A name of `list models`.", rich_help_panel="What")] = "bbsnet",
    fusion: options.Fusion = None,
    encoder: options.Encoder = None,
    size: options.Size = None,
    data: options.Data = "scenes:20000",
    val: Annotated[str, Option(help="Validation set; its S-measure selects.", rich_help_panel=_TRAIN)] = (
        "scenes:200@128x128#1"
    ),
    recipe: Annotated[
        str | None, Option(help="small; bbsnet, jldcf, d3net as published; default: by model.", rich_help_panel=_TRAIN)
    ] = None,
    epochs: Annotated[float | None, Option(help="Over the training set; default: 10.", rich_help_panel=_TRAIN)] = None,
    iterations: Annotated[int | None, Option(help="Instead of --epochs.", rich_help_panel=_TRAIN)] = None,
    lr: Annotated[float | None, Option(help="Highest learning rate.", rich_help_panel=_TRAIN)] = None,
    batch: Annotated[int | None, Option(help="Images in a step.", rich_help_panel=_TRAIN)] = None,
    init: Annotated[str | None, Option(help="Weights to begin with.", rich_help_panel=_TRAIN)] = None,
    adversarial: hardening.Adversarial = None,
    modality: hardening.Modality = None,
    eps: hardening.Eps = None,
    steps: hardening.Steps = None,
    step_size: hardening.StepSize = None,
    objective: hardening.Objective = None,
    beta: hardening.Beta = None,
    replays: hardening.Replays = None,
    alpha: hardening.Alpha = None,
    adversarial_eps: hardening.AdversarialEps = None,
    adversarial_steps: hardening.AdversarialSteps = None,
    attention_consistency: hardening.AttentionConsistency = None,
    feature_consistency: hardening.FeatureConsistency = None,
    model_constraint: hardening.ModelConstraint = None,
    ema: hardening.Ema = None,
    itc: alignment.Itc = None,
    itc_dense: alignment.ItcDense = None,
    itc_pool: alignment.ItcPool = None,
    itm: alignment.Itm = None,
    masked: alignment.Masked = None,
    manipulation: alignment.Manipulation = None,
    manipulation_shared: alignment.ManipulationShared = False,
    queue: alignment.Queue = None,
    momentum: alignment.Momentum = None,
    distill: alignment.Distill = None,
    modality_dropout: alignment.ModalityDropout = None,
    filter: alignment.Filter = None,  # noqa: A002  (the flag's name)
    filter_mode: alignment.FilterMode = None,
    filter_share: alignment.FilterShare = None,
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

    from rgbdsod.datasets import load_dataset
    from rgbdsod.run.training_folder import TrainingFolder

    sets = {"data": load_dataset(flags["data"]), "val": load_dataset(flags["val"])}
    flags = _resolve(flags, len(sets["data"]))
    for text in _checked(flags, len(sets["data"])):
        screen.warn(text)
    folder = TrainingFolder(given(flags, _SETTINGS), flags["model"], sets["data"], flags["out"], flags["name"])
    if flags["dry_run"]:
        _plan(screen, folder, {key: len(images) for key, images in sets.items()})
    else:
        _train(screen, flags, folder, sets)


def _resolve(flags: Mapping[str, Any], images: int) -> dict[str, Any]:
    """Flags with the defaults that depend on others.

    Args:
        flags: the command's parameters by name.
        images: how many there are to train on.

    Raises:
        UsageError: for names and values that do not fit, before anything is written.
    """
    inputs = _inputs(flags)
    if inputs is None:
        raise UsageError(f"--model {flags['model']}: train takes a name of `rgbdsod list models`")

    from rgbdsod.run.train import check_extras, check_training

    checked = ("recipe", "lr", "batch", "iterations", "epochs", "dtype")
    recipe, _ = check_training(flags["model"], images, **{key: flags[key] for key in checked})
    hardened = hardening.resolved(flags, inputs)
    check_extras(flags["adversarial"] is not None, hardening.consistency(flags), flags["init"], flags["ema"])
    return {**flags, "recipe": recipe.name, "size": working_size(flags), **hardened}


def _checked(flags: Mapping[str, Any], images: int) -> list[str]:
    """Check the flags of alignment against the training set; what a user should know."""
    from rgbdsod.run.recipes import RECIPES

    settings = alignment.alignment_settings(flags)
    return settings.check(images, flags["batch"] or RECIPES[flags["recipe"]].batch) if settings else []


def _inputs(flags: Mapping[str, Any]) -> tuple[str, ...] | None:
    """The inputs of the network with the fusion that is asked for; None for a user's file."""
    if known_inputs(flags["model"]) is None:
        return None
    return tuple(with_fusion(MODELS[flags["model"]], flags["fusion"]).inputs)


def _train(screen: Screen, flags: Mapping[str, Any], folder: "TrainingFolder", sets: "dict[str, Dataset]") -> None:
    from rgbdsod.run.threats import show_eps
    from rgbdsod.run.train import train as run_training

    screen.header(f"model   {_named(flags)}, recipe {flags['recipe']}")
    screen.header(f"data    {sets['data'].name}, {len(sets['data'])} images; validated on {sets['val'].name}")
    method, near = hardening.hardening(flags, _inputs(flags) or ()), hardening.consistency(flags)
    if method is not None:
        moved = f"{flags['adversarial']} {flags['modality']} {show_eps(flags['eps'])}"
        screen.header(f"attack  {moved}: {method.passes.forward} forward, {method.passes.backward} backward in a step")
    settings = alignment.alignment_settings(flags)
    weights = (settings.weights if settings else {}) | (near.weights if near else {})
    if weights:
        screen.header("losses  saliency + " + " + ".join(f"{w:g} {name}" for name, w in weights.items()))
    passed: dict[str, Any] = {key: flags[key] for key in _PASSED}
    ranks = Ranks.here()
    if ranks is not None:
        passed |= {"device": ranks.device(flags["device"]), "ranks": ranks}
    with (
        _opened(folder, flags, ranks) as path,
        screen.progress("train", "iterations") as advance,
    ):
        result = run_training(
            flags["model"], data=sets["data"], val=sets["val"], **passed, adversarial=method, consistency=near,
            ema=flags["ema"], alignment=settings, modality_dropout=flags["modality_dropout"] or 0.0, out=path,
            pair_filter=alignment.pair_filter(flags),
            callback=lambda done, total, shown: advance(done, total, _shown(shown)),
        )  # fmt: skip
    for text in [event["text"] for event in result.history if event["event"] == "warning"][-1:]:
        screen.warn(text)
    _show(screen, result, flags)


@contextmanager
def _opened(folder: "TrainingFolder", flags: Mapping[str, Any], ranks: Ranks | None) -> Iterator[Path]:
    """The folder of a training; of several ranks the first one holds it, and lets the others in."""
    meeting = None if ranks is None else Meeting(ranks, "train")
    if meeting is not None and ranks is not None and ranks.index > 0:
        meeting.wait_for("open")
        yield folder.path
        return
    with folder.opened(restart=flags["restart"], arguments=command_line()) as run:
        if meeting is not None:
            meeting.tell("open")
        yield run.path


def _named(flags: Mapping[str, Any]) -> str:
    """The flags that name the network, without the first's."""
    chosen = [f" --{key} {flags[key]}" for key in ("fusion", "encoder") if flags[key] is not None]
    chosen += [f" --size {flags['size'][0]}x{flags['size'][1]}"] if flags["size"] is not None else []
    return str(flags["model"]) + "".join(chosen)


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
    import tomli_w

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
    screen.result(f"saved   {best}    use with: rgbdsod attack --model {_named(flags)} --weights {best}")
