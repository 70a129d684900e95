"""`rgbdsod clip evaluate`: clean and robust zero-shot accuracy on one or more sets."""

from typing import Annotated

from typer import Context, Option

from rgbdsod.cli import options
from rgbdsod.cli.clip import flags as own
from rgbdsod.cli.clip.running import run_evaluate
from rgbdsod.cli.layers import refuse_unknown

_ATTACK = "Attack"


def evaluate(
    context: Context,
    model: own.Model = "clip.demo",
    weights: own.Weights = None,
    original: own.Original = None,
    activation: own.Activation = None,
    normalization: own.Normalization = "clip",
    data: own.Data = None,
    data_root: own.DataRoot = None,
    split: own.Split = None,
    n_samples: own.Samples = None,
    templates: own.Templates = "fixed",
    template: own.Template = None,
    attack: Annotated[
        str, Option(help="A,B of pgd, aa-fast, aa-standard, cw-linf, cw, noise.", rich_help_panel=_ATTACK)
    ] = "pgd,aa-fast",
    eps: Annotated[
        str | None,
        Option(help="A,B; default: 8/255 for clip.demo, 1/255 for all others.", rich_help_panel=_ATTACK),
    ] = None,
    eps_l2: own.EpsL2 = None,
    steps: own.Steps = None,
    verdict: Annotated[
        str | None, Option(help="Broken by any iterate, or by the last one.", rich_help_panel=_ATTACK)
    ] = None,
    as_released: Annotated[
        bool, Option("--as-released", help="pgd with step = eps, the last iterate.", rich_help_panel=_ATTACK)
    ] = False,
    attack_space: own.AttackSpace = "native",
    interpolate: Annotated[
        str | None, Option(help="FROM:TO:STEP of the way from --original to --weights.", rich_help_panel="What")
    ] = None,
    batch: options.Batch = "auto",
    device: options.Device = "auto",
    dtype: options.Dtype = "float32",
    loss_scale: own.LossScale = None,
    seed: options.Seed = 0,
    deterministic: options.Deterministic = False,
    out: options.Out = None,
    name: options.Name = None,
    restart: options.Restart = False,
    config: options.Config = None,
    set_: options.Set = None,
    fail_under: own.FailUnder = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    progress: options.Progress = True,
    dry_run: options.DryRun = False,
) -> None:
    """Measure zero-shot accuracy on clean and on attacked images."""
    refuse_unknown(context.obj["extra"], context.obj["known"], "clip evaluate")
    run_evaluate(context.params)
