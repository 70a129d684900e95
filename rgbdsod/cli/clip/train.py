"""`rgbdsod clip train`: adversarial fine-tuning of a dual encoder's image encoder."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from typer import Context, Option

from rgbdsod.cli import options
from rgbdsod.cli.clip import flags as own
from rgbdsod.cli.screen import Screen
from rgbdsod.cli.sources import command_line, set_deterministic
from rgbdsod.defenses.zero_shot.table import METHODS

if TYPE_CHECKING:
    from rgbdsod.datasets import ImageSet
    from rgbdsod.defenses import TuningPreset
    from rgbdsod.run.clip.opening import DualEncoder
    from rgbdsod.run.clip.train import HardenResult
    from rgbdsod.run.clip.tuning_folder import TuningFolder

_TRAIN, _ATTACK = "Training", "Attack"
_SETTINGS = ("method", "preset", "model", "weights", "original", "activation", "data", "data_root", "split", "limit",
             "prompts", "template", "eps", "steps", "step_size", "attack_space", "optimizer", "lr", "momentum",
             "weight_decay", "batch", "iterations", "epochs", "warmup", "schedule", "val_share", "validate_every",
             "select", "dtype", "seed")  # fmt: skip
_CHANGES = ("steps", "optimizer", "lr", "momentum", "weight_decay", "batch", "iterations", "epochs", "warmup",
            "schedule", "attack_space", "prompts", "template")  # fmt: skip
_NUMBERS = ("eps", "step_size")


def train(
    context: Context,
    method: Annotated[
        str | None, Option(help="A name of `list methods`; default: the preset's, or tga-zsr.", rich_help_panel="What")
    ] = None,
    preset: Annotated[
        str | None, Option(help="A name of `list presets`; default: by method and model.", rich_help_panel="What")
    ] = None,
    model: Annotated[
        str | None,
        Option(help="clip.demo or an architecture of open_clip; default: the preset's.", rich_help_panel="What"),
    ] = None,
    weights: own.Weights = None,
    original: own.Original = None,
    activation: own.Activation = None,
    data: Annotated[
        str | None,
        Option(
            help="glyphs:tuning, class folders, an .npz, a known set; default: the preset's.", rich_help_panel="What"
        ),
    ] = None,
    data_root: own.DataRoot = None,
    split: own.Split = None,
    limit: Annotated[int | None, Option(help="So many images, evenly over classes.", rich_help_panel="What")] = None,
    prompts: Annotated[str | None, Option(help="fixed or as-released.", rich_help_panel="Text")] = None,
    template: own.Template = None,
    eps: Annotated[str | None, Option(help="Radius of the inner attack: 1/255.", rich_help_panel=_ATTACK)] = None,
    steps: Annotated[int | None, Option(help="Of the inner attack.", rich_help_panel=_ATTACK)] = None,
    step_size: Annotated[str | None, Option(help="Default: its share of --eps.", rich_help_panel=_ATTACK)] = None,
    attack_space: Annotated[str | None, Option(help="native or model.", rich_help_panel=_ATTACK)] = None,
    optimizer: Annotated[str | None, Option(help="sgd or adamw.", rich_help_panel=_TRAIN)] = None,
    lr: Annotated[float | None, Option(help="Highest learning rate.", rich_help_panel=_TRAIN)] = None,
    momentum: Annotated[float | None, Option(help="Of sgd.", rich_help_panel=_TRAIN)] = None,
    weight_decay: Annotated[float | None, Option(help="Of either.", rich_help_panel=_TRAIN)] = None,
    batch: Annotated[int | None, Option(help="Images in an update.", rich_help_panel=_TRAIN)] = None,
    epochs: Annotated[int | None, Option(help="Over the images.", rich_help_panel=_TRAIN)] = None,
    iterations: Annotated[int | None, Option(help="Updates, instead of --epochs.", rich_help_panel=_TRAIN)] = None,
    warmup: Annotated[int | None, Option(help="Updates in which the rate rises.", rich_help_panel=_TRAIN)] = None,
    schedule: Annotated[str | None, Option(help="cosine or constant.", rich_help_panel=_TRAIN)] = None,
    val_share: Annotated[float, Option(help="Of the images, held out to select.", rich_help_panel=_TRAIN)] = 0.05,
    validate_every: Annotated[
        int | None, Option(help="Updates; default: an epoch, and at least 100.", rich_help_panel=_TRAIN)
    ] = None,
    select: Annotated[str, Option(help="Weights that are kept: best or last.", rich_help_panel=_TRAIN)] = "best",
    cache: Annotated[
        bool, Option("--cache/--no-cache", help="Keep what the original says.", rich_help_panel=_TRAIN)
    ] = True,
    workers: Annotated[int, Option(help="Processes that read images.", rich_help_panel=_TRAIN)] = 0,
    device: options.Device = "auto",
    dtype: Annotated[str, Option(help="auto, float32 or bfloat16.", rich_help_panel="Run")] = "auto",
    seed: options.Seed = 0,
    deterministic: options.Deterministic = False,
    out: options.Out = None,
    name: options.Name = None,
    restart: options.Restart = False,
    config: options.Config = None,
    set_: Annotated[
        list[str] | None, Option("--set", help="KEY=VALUE, also for the method's own.", rich_help_panel="Run")
    ] = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    progress: options.Progress = True,
    dry_run: options.DryRun = False,
) -> None:
    """Harden an image encoder by fine-tuning; the same command continues a training that was stopped."""
    run_train(context.params, context.obj["extra"])


def run_train(flags: Mapping[str, Any], extra: Mapping[str, Any]) -> None:
    """Check everything, then train.

    Args:
        flags: the command's parameters by name.
        extra: settings of the method.
    """
    from rgbdsod.run.clip.opening import open_dual_encoder
    from rgbdsod.run.clip.tuning_data import open_tuning_set
    from rgbdsod.run.clip.tuning_folder import TuningFolder
    from rgbdsod.run.clip.tuning_plan import is_built_in

    screen = Screen.of(flags)
    plan = _plan(flags, extra)
    set_deterministic(flags["deterministic"])
    data = open_tuning_set(
        flags["data"] or plan.dataset, flags["data_root"], split=flags["split"], limit=flags["limit"],
        prompts=plan.prompts, template=flags["template"],
    )  # fmt: skip
    start = open_dual_encoder(
        plan.model, flags["weights"], flags["original"], activation=flags["activation"],
        normalization="clip" if is_built_in(plan.model) else plan.normalization, device=flags["device"],
    )  # fmt: skip
    for text in (*data.warnings, start.note):
        if text is not None:
            screen.warn(text)
    settings = {name: flags[name] for name in _SETTINGS if flags[name] is not None} | dict(extra)
    folder = TuningFolder(settings, plan, start, data, flags["out"], flags["name"])
    if flags["dry_run"]:
        _show_plan(screen, folder, plan, data)
    else:
        _train(screen, flags, plan, folder, start, data)


def _plan(flags: Mapping[str, Any], extra: Mapping[str, Any]) -> "TuningPreset":
    """What the flags ask for, before anything is loaded."""
    from rgbdsod.run.clip.tuning_plan import Changes, choose_preset, plan_tuning, read_settings
    from rgbdsod.run.threats import parse_number

    method = choose_preset(flags["method"], flags["preset"], flags["model"]).method
    numbers = {name: flags[name] and parse_number(flags[name], f"--{name.replace('_', '-')}") for name in _NUMBERS}
    given = {**{name: flags[name] for name in _CHANGES}, **numbers, "settings": read_settings(method, extra)}
    changes: Changes = given  # type: ignore[assignment]
    return plan_tuning(flags["model"], flags["method"], flags["preset"], changes)


def _train(
    screen: Screen,
    flags: Mapping[str, Any],
    plan: "TuningPreset",
    folder: "TuningFolder",
    start: "DualEncoder",
    data: "ImageSet",
) -> None:
    from rgbdsod.run.clip.train import tune

    _say(screen, plan, data)
    passed = ("val_share", "validate_every", "select", "cache", "dtype", "workers", "seed")
    with (
        folder.opened(restart=flags["restart"], arguments=command_line()) as run,
        screen.progress(plan.method, "updates") as advance,
    ):
        result = tune(
            start.model, data, plan, out=run.path, resume=not flags["restart"],
            callback=lambda done, total, shown: advance(done, total, _shown(shown)),
            **{name: flags[name] for name in passed},
        )  # fmt: skip
    _show(screen, result)


def _say(screen: Screen, plan: "TuningPreset", data: "ImageSet") -> None:
    """What is about to run; the method by name and in words, since two of them share a part of their names."""
    from rgbdsod.run.threats import show_eps

    attack = plan.attack
    own = "".join(f", {name} {value}" for name, value in plan.settings.items())
    screen.header(f"method  {plan.method}: {METHODS[plan.method].summary}")
    screen.header(f"preset  {plan.name}{own}")
    screen.header(f"model   {plan.model}; its image encoder is tuned, by {plan.optimizer} at {plan.lr:g}")
    screen.header(f"data    {data.name}, {len(data)} images of {data.classes} classes, batch {plan.batch}")
    if METHODS[plan.method].load().attacked:
        screen.header(f"attack  {attack.norm} {show_eps(attack.eps)}, {attack.steps} steps before each update")


def _shown(values: dict[str, float]) -> str:
    return ", ".join(f"{key} {value:.3g}" for key, value in values.items() if key in ("loss", "clean", "robust"))


def _show_plan(screen: Screen, folder: "TuningFolder", plan: "TuningPreset", data: "ImageSet") -> None:
    from rgbdsod.run.clip.tuner import describe_plan

    if screen.as_json:
        settings = dict(folder.settings) | {"method": plan.method, "preset": plan.name}
        screen.document(
            {
                "schema": "rgbdsod.plan/1",
                "command": folder.command,
                "settings": settings,
                "images": len(data),
                "run": str(folder.path),
            }
        )
        return
    import tomli_w

    resolved = {key: value for key, value in describe_plan(plan).items() if value is not None}
    for key in ("attack", "settings"):
        resolved[key] = {name: value for name, value in resolved[key].items() if value is not None}
    _say(screen, plan, data)
    screen.result(tomli_w.dumps(resolved).rstrip())
    screen.result(f"folder  {folder.path}")


def _show(screen: Screen, result: "HardenResult") -> None:
    plan, best = result.plan, result.best
    if screen.as_json:
        screen.document(
            {
                "schema": "rgbdsod.clip-train/1",
                "method": plan.method,
                "preset": plan.name,
                "model": plan.model,
                "eps": plan.attack.eps,
                "best": best,
                "iteration": result.iteration,
                "weights": str(result.weights),
                "sha256": result.sha256,
                "run": str(result.folder),
            }
        )
        return
    if best:
        words = ", ".join(f"{name} {best[name]:.1%}" for name in ("clean", "robust"))
        screen.result(f"best    update {best['iteration']:g}: {words} of the held-out images")
    use = f"rgbdsod clip evaluate --model {plan.model} --weights {result.weights}"
    screen.result(f"saved   {result.weights} ({plan.method}, update {result.iteration})    use with: {use}")
