"""`rgbdsod clip attention`: where an encoder looks, clean, attacked, and hardened and attacked."""

import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from typer import Context, Option

from rgbdsod.cli import options
from rgbdsod.cli.clip import flags as own
from rgbdsod.cli.layers import refuse_unknown
from rgbdsod.cli.plan import show_work
from rgbdsod.cli.screen import Screen
from rgbdsod.cli.sources import batch_size, given, set_deterministic, split, target
from rgbdsod.errors import UsageError
from rgbdsod.run.clip.attacks import find_attack

if TYPE_CHECKING:
    from rgbdsod.run.clip.attention_task import AttentionTask

_ATTACK = "Attack"
_SOURCES = (
    "model", "weights", "original", "repaired", "activation", "normalization",
    "data", "data_root", "split", "n_samples", "template",
)  # fmt: skip
_PICTURE_BYTES = 60_000  # of the pictures of one image, roughly


def attention(
    context: Context,
    model: own.Model = "clip.demo",
    weights: own.Weights = None,
    original: own.Original = None,
    repaired: Annotated[
        str | None, Option(help="A checkpoint of the same model, hardened.", rich_help_panel="What")
    ] = None,
    activation: own.Activation = None,
    normalization: own.Normalization = "clip",
    attention: Annotated[
        str | None, Option(help="A,B of text, vision, gradcam; default: all that it can.", rich_help_panel="What")
    ] = None,
    data: Annotated[
        str, Option(help="A,B: glyphs:TASK, class folders, an .npz, or known sets.", rich_help_panel="What")
    ] = "glyphs:pairs",
    data_root: own.DataRoot = None,
    split: own.Split = None,
    n_samples: own.Samples = 8,
    templates: own.Templates = "fixed",
    template: own.Template = None,
    attack: Annotated[
        str, Option(help="pgd, aa-fast, aa-standard, cw-linf, cw or noise.", rich_help_panel=_ATTACK)
    ] = "pgd",
    eps: Annotated[
        str | None, Option(help="Radius; default: 8/255 for clip.demo, 1/255 for all others.", rich_help_panel=_ATTACK)
    ] = None,
    steps: own.Steps = None,
    attack_space: own.AttackSpace = "native",
    batch: options.Batch = "auto",
    device: options.Device = "auto",
    seed: options.Seed = 0,
    deterministic: options.Deterministic = False,
    out: options.Out = None,
    name: options.Name = None,
    restart: options.Restart = False,
    config: options.Config = None,
    set_: options.Set = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    progress: options.Progress = True,
    dry_run: options.DryRun = False,
) -> None:
    """Show where an encoder looks: clean, attacked, and hardened and attacked, side by side."""
    refuse_unknown(context.obj["extra"], context.obj["known"], "clip attention")
    run_attention(context.params)


def run_attention(flags: Mapping[str, Any]) -> None:
    """Check everything, then attack and look.

    Args:
        flags: the command's parameters by name.
    """
    screen, batch = Screen.of(flags), batch_size(flags["batch"])
    find_attack(flags["attack"])
    task = _task(flags)
    if flags["dry_run"]:
        show_work(screen, task, target(flags), rows=len(task.data), size=_PICTURE_BYTES * len(task.data))
        return

    from rgbdsod.run.clip import attention

    for text in task.data.warnings:
        screen.warn(text)
    with screen.progress("attention", "images") as advance:
        result = attention.run_attention(task, target(flags), batch, advance, lambda: _header(screen, task))
    if screen.as_json:
        screen.document(result.document())
        return
    if result.outcome.reused:
        screen.header("done    already, and read from its folder; --restart repeats it")
    screen.result(result.summary())
    screen.result(f"saved   {result.folder}    open with: rgbdsod report {shlex.quote(str(result.folder))}")


def _task(flags: Mapping[str, Any]) -> "AttentionTask":
    from rgbdsod.run.clip.attention import attention_task
    from rgbdsod.run.clip.images import open_sets
    from rgbdsod.run.clip.opening import open_dual_encoder
    from rgbdsod.run.clip.settings import ZeroShotSettings, usual_eps
    from rgbdsod.run.clip.texts import checked_templates, prompts_variant
    from rgbdsod.run.threats import parse_eps

    radii = parse_eps(flags["eps"]) if flags["eps"] else (usual_eps(flags["model"]),)
    if len(radii) != 1:
        raise UsageError(f"--eps names {len(radii)} radii, but maps are of one attack; pass one")
    settings = ZeroShotSettings(
        attacks=(flags["attack"],), steps=flags["steps"], attack_space=flags["attack_space"], eps=radii,
        templates=flags["templates"], seed=flags["seed"],
    ).checked()  # fmt: skip
    set_deterministic(flags["deterministic"])
    kind = {"activation": flags["activation"], "normalization": flags["normalization"], "device": flags["device"]}
    encoder = open_dual_encoder(flags["model"], flags["weights"], flags["original"], **kind)
    hardened = None
    if flags["repaired"] is not None:
        before = flags["weights"] or flags["original"]
        hardened = open_dual_encoder(flags["model"], flags["repaired"], before, **kind)
    data = open_sets(
        split(flags["data"]) or (), root=flags["data_root"], split=flags["split"], template=flags["template"],
        prompts=prompts_variant(checked_templates(flags["templates"])), count=flags["n_samples"], seed=flags["seed"],
    )  # fmt: skip
    return attention_task(encoder, hardened, data, settings, split(flags["attention"]), given(flags, _SOURCES))


def _header(screen: Screen, task: "AttentionTask") -> None:
    """What is about to be done."""
    from rgbdsod.run.threats import show_eps

    chosen, record = task.chosen, task.encoder.record()
    screen.header(f"model   {record['name']}   {record['source']}, sha256 {record['sha256'][:8]}")
    if task.repaired is not None:
        tuned = task.repaired.record()
        screen.header(f"repair  {tuned['source']}, tuned by {tuned['method'] or 'an unknown method'}")
    screen.header(f"data    {task.data.name}   {len(task.data)} images   seed {chosen.seed}")
    screen.header(f"attack  {chosen.attacks[0]}   eps {show_eps(chosen.eps[0])}, {chosen.attack_space} pixels")
    screen.header(f"maps    {', '.join(task.kinds)}   of {task.encoder.model.grid} patches")
