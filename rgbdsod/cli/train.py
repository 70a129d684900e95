"""`rgbdsod train`: train or fine-tune a network."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from typer import Context, Option

from rgbdsod.cli import alignment, options
from rgbdsod.cli.layers import refuse_unknown
from rgbdsod.cli.screen import Screen
from rgbdsod.cli.sources import command_line, given, known_inputs, working_size
from rgbdsod.errors import UsageError
from rgbdsod.models.fusions import with_fusion
from rgbdsod.models.table import MODELS
from rgbdsod.run.plugins import load_plugins

if TYPE_CHECKING:
    from rgbdsod.datasets import Dataset
    from rgbdsod.defenses import AdversarialTraining
    from rgbdsod.run.trainer import TrainResult
    from rgbdsod.run.training_folder import TrainingFolder

_ADVERSARIAL = ("adversarial", "adversarial_eps", "adversarial_steps")
_SETTINGS = ("model", "fusion", "encoder", "size", "data", "val", "recipe", "iterations", "epochs", "lr", "batch",
             "seed", "init", "dtype", "validate_every", "plugin", *_ADVERSARIAL, *alignment.FLAGS)  # fmt: skip
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
    adversarial: Annotated[
        str | None, Option(help="Attack rgb, depth or both (joint) in every step.", rich_help_panel=_TRAIN)
    ] = None,
    adversarial_eps: Annotated[str | None, Option(help="Its radius; default: 8/255.", rich_help_panel=_TRAIN)] = None,
    adversarial_steps: Annotated[int | None, Option(help="Its steps; default: 5.", rich_help_panel=_TRAIN)] = None,
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

    from rgbdsod.run.train import check_training

    checked = ("recipe", "lr", "batch", "iterations", "epochs", "dtype")
    recipe, _ = check_training(flags["model"], images, **{key: flags[key] for key in checked})
    return {**flags, "recipe": recipe.name, "size": working_size(flags), **_resolve_adversarial(flags, inputs)}


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


def _resolve_adversarial(flags: Mapping[str, Any], inputs: tuple[str, ...]) -> dict[str, Any]:
    """The flags of adversarial training: one modality's name, the radius as a number, and the number of steps."""
    from rgbdsod.attacks.budget import check_eps
    from rgbdsod.run.threats import DEFAULT_EPS, attacked_inputs, parse_number

    if flags["adversarial"] is None:
        for key in _ADVERSARIAL:
            if flags[key] is not None:
                raise UsageError(f"--{key.replace('_', '-')} has no effect without --adversarial rgb, depth or both")
        return {}
    attacked = attacked_inputs(flags["adversarial"], inputs, flags["model"], flag="--adversarial")
    text, steps = flags["adversarial_eps"], flags["adversarial_steps"]
    eps = DEFAULT_EPS if text is None else parse_number(text, "--adversarial-eps")
    check_eps(eps, "linf", "--adversarial-eps")
    if steps is not None and steps < 1:
        raise UsageError(f"--adversarial-steps {steps} is too few; pass 1 or more")
    modality = attacked[0] if len(attacked) == 1 else "both"
    return {"adversarial": modality, "adversarial_eps": eps, "adversarial_steps": 5 if steps is None else steps}


def _adversarial(flags: Mapping[str, Any]) -> "AdversarialTraining | None":
    """What the resolved flags of adversarial training ask for."""
    if flags["adversarial"] is None:
        return None

    from rgbdsod.attacks.budget import Budget
    from rgbdsod.defenses import AdversarialTraining
    from rgbdsod.run.threats import attacked_inputs

    attacked = attacked_inputs(flags["adversarial"], _inputs(flags) or (), flags["model"])
    budgets = {name: Budget(eps=flags["adversarial_eps"]) for name in attacked}
    return AdversarialTraining(threat=budgets, steps=flags["adversarial_steps"])


def _train(screen: Screen, flags: Mapping[str, Any], folder: "TrainingFolder", sets: "dict[str, Dataset]") -> None:
    from rgbdsod.run.threats import show_eps
    from rgbdsod.run.train import train as run_training

    screen.header(f"model   {_named(flags)}, recipe {flags['recipe']}")
    screen.header(f"data    {sets['data'].name}, {len(sets['data'])} images; validated on {sets['val'].name}")
    if flags["adversarial"] is not None:
        eps, steps = show_eps(flags["adversarial_eps"]), flags["adversarial_steps"]
        screen.header(f"attack  {flags['adversarial']} {eps}, {steps} steps before each step of the training")
    settings = alignment.alignment_settings(flags)
    if settings is not None:
        screen.header("losses  saliency + " + " + ".join(f"{w:g} {name}" for name, w in settings.weights.items()))
    passed: dict[str, Any] = {key: flags[key] for key in _PASSED}
    with (
        folder.opened(restart=flags["restart"], arguments=command_line()) as run,
        screen.progress("train", "iterations") as advance,
    ):
        result = run_training(
            flags["model"], data=sets["data"], val=sets["val"], **passed, adversarial=_adversarial(flags),
            alignment=settings, modality_dropout=flags["modality_dropout"] or 0.0, out=run.path,
            pair_filter=alignment.pair_filter(flags),
            callback=lambda done, total, shown: advance(done, total, _shown(shown)),
        )  # fmt: skip
    _show(screen, result, flags)


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
