"""`rgbdsod universal fit` and `universal apply`: one noise for all images, fitted on one set, measured on others."""

from collections.abc import Callable, Mapping
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Context, Option

from rgbdsod.attacks.table import MAP_OBJECTIVES
from rgbdsod.cli import options
from rgbdsod.cli.layers import refuse_unknown
from rgbdsod.cli.screen import Screen
from rgbdsod.cli.sources import (
    batch_size,
    describe_model,
    known_inputs,
    open_data,
    open_model,
    parse_size,
    set_deterministic,
)
from rgbdsod.errors import UsageError
from rgbdsod.run.plugins import load_plugins

if TYPE_CHECKING:
    from rgbdsod.attacks.universal.perturbation import Universal

_NOISE = "Noise"
_OWN = ("epochs", "steps", "step_size", "cap", "target_rate", "overshoot")
"""Parameters that belong to a method."""

Sizing = Annotated[str | None, Option(help="On images of another size: resize, tile or fixed.", rich_help_panel=_NOISE)]
Success = Annotated[str | None, Option(help="Fooled means: iou<0.5, ...", rich_help_panel=_NOISE)]
Holes = Annotated[str, Option(help="Unmeasured depth: keep or free.", rich_help_panel=_NOISE)]


def fit(
    context: Context,
    model: options.Model = "bbsnet",
    weights: options.Weights = None,
    fusion: options.Fusion = None,
    encoder: options.Encoder = None,
    data: options.Data = "scenes:64",
    limit: options.Limit = None,
    ids: options.Ids = None,
    depth_invert: options.DepthInvert = None,
    depth_range: options.DepthRange = None,
    depth_unit: options.DepthUnit = None,
    resize_depth: options.ResizeDepth = False,
    intersect: options.Intersect = False,
    method: Annotated[str, Option(help="sgd or deepfool.", rich_help_panel=_NOISE)] = "sgd",
    modality: Annotated[
        str | None, Option(help="rgb, depth or both; default: all that have a radius.", rich_help_panel=_NOISE)
    ] = None,
    eps: Annotated[str | None, Option(help="Radius, 8/255.", rich_help_panel=_NOISE)] = None,
    eps_rgb: Annotated[str | None, Option(help="Radius of rgb.", rich_help_panel=_NOISE)] = None,
    eps_depth: Annotated[str | None, Option(help="Radius of depth.", rich_help_panel=_NOISE)] = None,
    norm: Annotated[str, Option(help="linf or l2.", rich_help_panel=_NOISE)] = "linf",
    objective: Annotated[str, Option(help="A name of `list objectives`.", rich_help_panel=_NOISE)] = "bce",
    epochs: Annotated[int | None, Option(help="Visits of each image.", rich_help_panel=_NOISE)] = None,
    step_size: Annotated[str | None, Option(help="sgd: 1/255; default: eps/10.", rich_help_panel=_NOISE)] = None,
    cap: Annotated[str | None, Option(help="sgd: a higher loss no longer pulls.", rich_help_panel=_NOISE)] = None,
    steps: Annotated[int | None, Option(help="deepfool: steps for an image.", rich_help_panel=_NOISE)] = None,
    overshoot: Annotated[str | None, Option(help="deepfool: beyond the border.", rich_help_panel=_NOISE)] = None,
    target_rate: Annotated[str | None, Option(help="deepfool: stop at this share.", rich_help_panel=_NOISE)] = None,
    size: Annotated[str | None, Option(help="HxW of the noise; default: the images'.", rich_help_panel=_NOISE)] = None,
    sizing: Sizing = None,
    success: Success = None,
    holes: Holes = "keep",
    batch: options.Batch = "auto",
    device: options.Device = "auto",
    dtype: options.Dtype = "float32",
    seed: options.Seed = 0,
    deterministic: options.Deterministic = False,
    out: Annotated[str, Option(help="The file.", rich_help_panel="Run")] = "universal.safetensors",
    set_: options.Set = None,
    plugin: options.Plugin = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    progress: options.Progress = True,
) -> None:
    """Fit one noise that harms a model on every image of a set."""
    _refuse_extra(context, "fit")
    run_fit(context.params)


def apply(
    context: Context,
    file: Annotated[str, Argument(help="What `universal fit` wrote.")],
    model: options.Model = "bbsnet",
    weights: options.Weights = None,
    fusion: options.Fusion = None,
    encoder: options.Encoder = None,
    data: options.Data = "demo",
    limit: options.Limit = None,
    ids: options.Ids = None,
    depth_invert: options.DepthInvert = None,
    depth_range: options.DepthRange = None,
    depth_unit: options.DepthUnit = None,
    resize_depth: options.ResizeDepth = False,
    intersect: options.Intersect = False,
    empty: options.Empty = "count",
    sizing: Sizing = None,
    success: Success = None,
    holes: Holes = "keep",
    batch: options.Batch = "auto",
    device: options.Device = "auto",
    seed: options.Seed = 0,
    deterministic: options.Deterministic = False,
    set_: options.Set = None,
    plugin: options.Plugin = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    progress: options.Progress = True,
) -> None:
    """Measure a noise on a set, beside clean images and random noise of the same radius."""
    _refuse_extra(context, "apply")
    run_apply(context.params)


COMMANDS: Mapping[str, Callable[..., None]] = {"fit": fit, "apply": apply}


def run_fit(flags: Mapping[str, Any]) -> None:
    """Check everything, then fit.

    Args:
        flags: the command's parameters by name.
    """
    screen = Screen.of(flags)
    load_plugins(flags["plugin"] or ())
    inputs = known_inputs(flags["model"], flags.get("fusion"))
    MAP_OBJECTIVES[flags["objective"]]  # a wrong name is refused before torch is imported
    size, batch = parse_size(flags["size"]), batch_size(flags["batch"])
    set_deterministic(flags["deterministic"])

    from rgbdsod.run.universal import check_fit, fit_universal, one_threat

    eps, own = _radii(flags), {name: _number(name, flags[name]) for name in _OWN if flags[name] is not None}
    check_fit(flags["method"], own, objective=flags["objective"], holes=flags["holes"], dtype=flags["dtype"])
    if inputs is not None:
        one_threat(inputs, flags["model"], flags["modality"], eps, flags["norm"])
    data, model = open_data(flags, screen), open_model(flags)
    screen.header(f"model   {describe_model(model)}")
    screen.header(f"data    {data.name}   {len(data)} images   {flags['dtype']}, seed {flags['seed']}")
    with screen.progress("fit", "batches") as advance:
        found = fit_universal(
            model, data, method=flags["method"], modality=flags["modality"], eps=eps, norm=flags["norm"],
            objective=flags["objective"], success=flags["success"], size=size, sizing=flags["sizing"] or "resize",
            holes=flags["holes"], seed=flags["seed"], dtype=flags["dtype"], batch=batch, callback=advance, **own,
        )  # fmt: skip
    found.save(flags["out"])
    _show_fit(screen, found, flags["out"])


def _show_fit(screen: Screen, universal: "Universal", file: str) -> None:
    """The document, or what was fitted, how well, and where it lies."""
    from rgbdsod.run.threats import show_eps

    facts, budgets = universal.facts, universal.budgets
    radii = {name: {"norm": budget.norm, "eps": float(budget.eps)} for name, budget in budgets.items()}
    if screen.as_json:
        kept = ("model", "data", "images", "method", "fooled", "forward", "backward", "sizes")
        about = {name: facts[name] for name in kept}
        screen.document({"schema": "rgbdsod.universal-fit/1", **about, "budget": radii, "file": file})
        return
    shown = ", ".join(f"{name} {budget.norm} {show_eps(float(budget.eps))}" for name, budget in budgets.items())
    screen.header(f"noise   {facts['method']}   {shown}")
    screen.result("fooled  " + ", ".join(f"{share:.0%}" for share in facts["fooled"]) + " of the images, by epoch")
    screen.result(f"saved   {file}    measure with: rgbdsod universal apply {quote(file)}")


def run_apply(flags: Mapping[str, Any]) -> None:
    """Check everything, then measure.

    Args:
        flags: the command's parameters by name.
    """
    screen = Screen.of(flags)
    load_plugins(flags["plugin"] or ())
    known_inputs(flags["model"], flags.get("fusion"))
    batch = batch_size(flags["batch"])
    set_deterministic(flags["deterministic"])

    from rgbdsod.attacks.universal.perturbation import Universal
    from rgbdsod.run.universal_measure import apply_universal

    universal = Universal.load(Path(flags["file"]))
    data, model = open_data(flags, screen), open_model(flags)
    screen.header(f"model   {describe_model(model)}")
    screen.header(f"data    {data.name}   {len(data)} images")
    with screen.progress("apply", "images") as advance:
        result = apply_universal(
            universal, model, data, sizing=flags["sizing"], success=flags["success"], holes=flags["holes"],
            empty=flags["empty"], seed=flags["seed"], batch=batch, callback=advance,
        )  # fmt: skip
    if flags["json"]:
        screen.document(result.document())
        return
    screen.result(result.summary())


def _refuse_extra(context: Context, action: str) -> None:
    """A `--set` that no flag knows."""
    refuse_unknown(context.obj["extra"], context.obj["known"], f"universal {action}")


def _radii(flags: Mapping[str, Any]) -> Any:
    """`--eps` for every attacked input, or `--eps-rgb` and `--eps-depth` for theirs."""
    from rgbdsod.run.threats import parse_eps

    own = {name: parse_eps(flags[f"eps_{name}"], f"--eps-{name}") for name in ("rgb", "depth") if flags[f"eps_{name}"]}
    if own and flags["eps"]:
        raise UsageError("--eps is for all attacked inputs; pass it alone, or --eps-rgb and --eps-depth")
    return own or (None if flags["eps"] is None else parse_eps(flags["eps"]))


def _number(name: str, value: Any) -> Any:
    """A number or a fraction, as it was typed."""
    from rgbdsod.run.threats import parse_number

    return parse_number(value, f"--{name.replace('_', '-')}") if isinstance(value, str) else value
