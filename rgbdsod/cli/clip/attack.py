"""`rgbdsod clip attack`: one attack, whose pictures are kept and measured from their files."""

from typing import Annotated

from typer import Context, Option

from rgbdsod.cli import options
from rgbdsod.cli.clip import flags as own
from rgbdsod.cli.clip.running import run_attack
from rgbdsod.cli.layers import refuse_unknown

_ATTACK = "Attack"


def attack(
    context: Context,
    model: own.Model = "clip.demo",
    weights: own.Weights = None,
    original: own.Original = None,
    activation: own.Activation = None,
    normalization: own.Normalization = "clip",
    data: own.Data = "glyphs:pairs",
    data_root: own.DataRoot = None,
    split: own.Split = None,
    n_samples: own.Samples = 32,
    templates: own.Templates = "fixed",
    template: own.Template = None,
    attack: Annotated[
        str, Option(help="pgd, aa-fast, aa-standard, cw-linf, cw or noise.", rich_help_panel=_ATTACK)
    ] = "pgd",
    eps: Annotated[
        str | None, Option(help="Radius; default: 8/255 for clip.demo, 1/255 for all others.", rich_help_panel=_ATTACK)
    ] = None,
    eps_l2: own.EpsL2 = None,
    steps: own.Steps = None,
    attack_space: own.AttackSpace = "native",
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
    """Make adversarial pictures for a zero-shot classifier, and measure it on the saved files."""
    refuse_unknown(context.obj["extra"], context.obj["known"], "clip attack")
    run_attack(context.params)
