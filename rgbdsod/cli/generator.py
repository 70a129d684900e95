"""`rgbdsod generator train`: train a generator of perturbations, or of images, and write it to a file."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

from typer import Context, Option

from rgbdsod.cli import options
from rgbdsod.cli.layers import refuse_unknown
from rgbdsod.cli.screen import Screen
from rgbdsod.cli.sources import describe_model, known_inputs, open_data, open_model, set_deterministic
from rgbdsod.errors import UsageError
from rgbdsod.run.plugins import load_plugins
from rgbdsod.run.threats import parse_eps, show_eps

if TYPE_CHECKING:
    from rgbdsod.attacks.generative.latent import LatentGenerator
    from rgbdsod.attacks.generative.perturbation import PerturbationGenerator

_GENERATOR = "Generator"


def train(
    context: Context,
    model: options.Model = "bbsnet",
    weights: options.Weights = None,
    fusion: options.Fusion = None,
    encoder: options.Encoder = None,
    data: options.Data = "scenes:256",
    limit: options.Limit = None,
    ids: options.Ids = None,
    depth_invert: options.DepthInvert = None,
    depth_range: options.DepthRange = None,
    depth_unit: options.DepthUnit = None,
    resize_depth: options.ResizeDepth = False,
    intersect: options.Intersect = False,
    kind: Annotated[str, Option(help="gap, advgan or natural.", rich_help_panel=_GENERATOR)] = "gap",
    modality: Annotated[
        str | None, Option(help="rgb, depth or both; both serves each alone too.", rich_help_panel=_GENERATOR)
    ] = None,
    eps: Annotated[str | None, Option(help="Largest radius; default: 16/255.", rich_help_panel=_GENERATOR)] = None,
    eps_rgb: Annotated[str | None, Option(help="Largest radius of rgb.", rich_help_panel=_GENERATOR)] = None,
    eps_depth: Annotated[str | None, Option(help="Largest radius of depth.", rich_help_panel=_GENERATOR)] = None,
    objective: Annotated[str, Option(help="A name of `list objectives`.", rich_help_panel=_GENERATOR)] = "bce",
    universal: Annotated[
        bool, Option("--universal", help="One perturbation for all images.", rich_help_panel=_GENERATOR)
    ] = False,
    steps: Annotated[int, Option(help="Of training.", rich_help_panel=_GENERATOR)] = 500,
    batch: Annotated[int, Option(help="Images in a step.", rich_help_panel="Run")] = 8,
    device: options.Device = "auto",
    seed: options.Seed = 0,
    deterministic: options.Deterministic = False,
    out: Annotated[str, Option(help="The file.", rich_help_panel="Run")] = "generator.safetensors",
    set_: options.Set = None,
    plugin: options.Plugin = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    progress: options.Progress = True,
) -> None:
    """Train a generator against a frozen model (gap, advgan), or of images alone (natural)."""
    refuse_unknown(context.obj["extra"], context.obj["known"], "generator train")
    run_train(context.params)


COMMANDS: Mapping[str, Callable[..., None]] = {"train": train}


def run_train(flags: Mapping[str, Any]) -> None:
    """Check everything, then train.

    Args:
        flags: the command's parameters by name.
    """
    screen = Screen.of(flags)
    load_plugins(flags["plugin"] or ())
    inputs, eps, kind = known_inputs(flags["model"], flags.get("fusion")), _radii(flags), flags["kind"]
    if not flags["out"].endswith(".safetensors"):
        raise UsageError(f"--out {flags['out']}: a generator is kept in a .safetensors file")
    set_deterministic(flags["deterministic"])

    from rgbdsod.run.generator import check_generator, largest_threat, make_generator

    own = (flags["modality"], eps, flags["universal"] or None)
    check_generator(kind, flags["objective"], flags["steps"], flags["batch"], natural=own)
    if inputs is not None:
        largest_threat(inputs, flags["model"], flags["modality"], eps)  # before model and images are read
    data, model = open_data(flags, screen), open_model(flags)
    largest_threat(model.inputs, flags["model"], flags["modality"], eps)
    if kind != "natural":
        screen.header(f"model   {describe_model(model)}")
    screen.header(f"data    {data.name}   {len(data)} images   batch {flags['batch']}, seed {flags['seed']}")
    with screen.progress("train", "steps") as advance:
        made = make_generator(
            kind, model, data, modality=flags["modality"], eps=eps, objective=flags["objective"],
            universal=flags["universal"], steps=flags["steps"], batch=flags["batch"], seed=flags["seed"],
            callback=advance,
        )  # fmt: skip
    made.save(flags["out"])
    _show(screen, flags, made)


def _show(screen: Screen, flags: Mapping[str, Any], made: "PerturbationGenerator | LatentGenerator") -> None:
    """The document, or what was made and how to use it."""
    from rgbdsod.attacks.generative.perturbation import PerturbationGenerator

    eps = dict(made.scope.eps) if isinstance(made, PerturbationGenerator) else {}
    kind, file = flags["kind"], flags["out"]
    if flags["json"]:
        document = {"schema": "rgbdsod.generator-train/1", "kind": kind, "eps": eps, "origin": dict(made.scope.origin)}
        screen.document({**document, "file": file})
        return
    radii = ", ".join(f"{name} up to {show_eps(radius)}" for name, radius in eps.items())
    screen.header(f"made    {kind}   {radii or 'draws ' + ', '.join(made.scope.channels)}   {flags['steps']} steps")
    use = f"rgbdsod attack --attack {kind}{' --eps 1' if kind == 'natural' else ''} --set generator={file}"
    screen.result(f"saved   {file}    use with: {use}")


def _radii(flags: Mapping[str, Any]) -> Any:
    """`--eps` for every input, or `--eps-rgb` and `--eps-depth` for theirs."""
    own = {name: parse_eps(flags[f"eps_{name}"], f"--eps-{name}") for name in ("rgb", "depth") if flags[f"eps_{name}"]}
    if own and flags["eps"]:
        raise UsageError("--eps is for all inputs; pass it alone, or --eps-rgb and --eps-depth")
    return own or (None if flags["eps"] is None else parse_eps(flags["eps"]))
