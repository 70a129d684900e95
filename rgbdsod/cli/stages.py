"""`rgbdsod ablate --stage --stream --mode`: what a trained network really uses."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from typer import Option

from rgbdsod.cli.screen import Screen
from rgbdsod.cli.sources import batch_size, describe_model, known_inputs, open_data, open_model, parse_size, split
from rgbdsod.errors import UsageError
from rgbdsod.run.plugins import load_plugins

if TYPE_CHECKING:
    from rgbdsod.models import SaliencyModel
    from rgbdsod.run.attack_settings import AttackSettings
    from rgbdsod.run.interventions.modes import Mode
    from rgbdsod.run.interventions.places import Place

_PANEL = "One stream of one trained network"

Stage = Annotated[str | None, Option(help="Stages of `info MODEL`: A,B, or all; default: all.", rich_help_panel=_PANEL)]
Stream = Annotated[
    str | None, Option(help="rgb, depth, or both one after the other; default: both.", rich_help_panel=_PANEL)
]
ModeFlag = Annotated[
    str | None,
    Option(
        "--mode",
        help="What takes the stream's place: cut (zeros), mean, noise, swap (another image's): A,B; default: all.",
        rich_help_panel=_PANEL,
    ),
]

FLAGS = ("stage", "stream", "mode")
"""One of them turns `rgbdsod ablate` into an ablation of stages."""

_RADII = ("rgb", "depth")
_OWN = ("steps", "step_size", "restarts")


def run_stages(flags: Mapping[str, Any]) -> None:
    """Check everything, then replace one stream at one stage after another.

    Args:
        flags: the command's parameters by name: `stage`, `stream` and `mode` (None: all), `model`, `weights`,
            `fusion`, `encoder`, `size`, `device`, `data` and what belongs to it, `attack` (None: clean images alone)
            and `modality`, `eps`, `steps` of it (None: the attack's usual ones), `batch`, `seed`, `out`, `plugin`,
            `json`, `quiet`, `verbose`, `progress`, `dry_run`.

    Raises:
        UsageError: for names and values that do not fit, with what does.
    """
    screen = Screen.of(flags)
    load_plugins(flags.get("plugin") or ())
    known_inputs(flags["model"], flags.get("fusion"))  # wrong names are refused before torch is imported
    batch = batch_size(flags["batch"])

    from rgbdsod.run.interventions.ablate import ablate_stages, plan_for
    from rgbdsod.run.interventions.modes import find_modes
    from rgbdsod.run.interventions.places import find_places
    from rgbdsod.run.threats import show_eps

    modes = find_modes(_listed(flags.get("mode")) or ("cut", "mean", "noise", "swap"))
    settings = attack_of(flags)
    model = open_model(flags, parse_size(flags.get("size")))
    places = find_places(model, _listed(flags.get("stage")) or "all", _streams(flags.get("stream")))
    plan = None if settings is None else plan_for(settings, model)
    data = open_data(flags, screen)
    if flags.get("dry_run"):
        _show_plan(screen, flags, places, modes, len(data), {} if plan is None else plan.record())
        return
    _header(screen, model, f"{data.name}   {len(data)} images", places, modes)
    if plan is not None:
        radii = ", ".join(f"{name} {show_eps(radius)}" for name, radius in plan.radii[0].items())
        screen.header(f"attack  {plan.settings.attack}   {plan.norm}, {radii}")
    with screen.progress("ablate", "passes over images") as advance:
        result = ablate_stages(
            model, data, stages=[place.stage for place in places], streams=[place.stream for place in places],
            modes=modes, attack=settings, seed=flags["seed"], empty=flags.get("empty") or "count", batch=batch,
            callback=advance, out=flags.get("out"),
        )  # fmt: skip
    if screen.as_json:
        screen.document(result.document() | {"run": flags.get("out")})
        return
    screen.result(result.summary())
    if flags.get("out") is not None:
        screen.result(f"saved   {flags['out']}/stages.json and stages.csv")


def attack_of(flags: Mapping[str, Any]) -> "AttackSettings | None":
    """What the flags say of an attack; None where there is none.

    Raises:
        UsageError: several attacks or modalities, or a number that is none.
    """
    from rgbdsod.attacks.table import ATTACKS
    from rgbdsod.run.attack_settings import AttackSettings
    from rgbdsod.run.threats import parse_eps

    if flags.get("attack") is None:
        return None
    for name in ("attack", "modality"):
        if len(_listed(flags.get(name)) or ()) > 1:
            raise UsageError(f"--{name} {flags[name]}: an ablation of stages has one; pass one of them")
    takes = ATTACKS[flags["attack"]].parameters()
    own = {name: parse_eps(flags[f"eps_{name}"], f"--eps-{name}") for name in _RADII if flags.get(f"eps_{name}")}
    whole = parse_eps(flags["eps"]) if flags.get("eps") else None
    chosen = {name: flags[name] for name in ("norm", "objective", "success", "holes", "dtype") if flags.get(name)}
    return AttackSettings(
        attack=flags["attack"],
        modality=flags.get("modality"),
        eps=own or whole,
        parameters={name: flags.get(name) for name in _OWN if name in takes},
        seed=flags["seed"],
        **chosen,
    )


def _listed(text: str | None) -> list[str] | None:
    """The names of a flag; one without a name is refused where it is looked up."""
    return None if text is None else (split(text) or [text])


def _streams(text: str | None) -> str | list[str]:
    """The streams that are meant."""
    names = _listed(text) or ["both"]
    for name in names:
        if name not in ("rgb", "depth", "hha", "both"):
            raise UsageError(f'no stream "{name}"; pass --stream rgb, depth or both')
    return "both" if "both" in names else names


def _header(screen: Screen, model: "SaliencyModel", images: str, places: "list[Place]", modes: "list[Mode]") -> None:
    """What is about to be done."""
    stages, streams = (list(dict.fromkeys(getattr(place, of) for place in places)) for of in ("stage", "stream"))
    screen.header(f"model   {describe_model(model)}")
    screen.header(f"data    {images}")
    screen.header(f"ablate  {', '.join(streams)} at {', '.join(stages)}   by {', '.join(modes)}")


def _show_plan(
    screen: Screen, flags: Mapping[str, Any], places: "list[Place]", modes: "list[Mode]", images: int,
    attack: dict[str, Any],
) -> None:  # fmt: skip
    """What would be done; nothing is computed."""
    stages, streams = (list(dict.fromkeys(getattr(place, of) for place in places)) for of in ("stage", "stream"))
    settings = {"model": flags["model"], "stage": stages, "stream": streams, "mode": list(modes)} | attack
    cells = len(places) * len(modes)
    if screen.as_json:
        plan = {"schema": "rgbdsod.plan/1", "command": "ablate", "settings": settings, "images": images, "rows": cells}
        screen.document(plan | {"run": flags.get("out") or ""})
        return
    import tomli_w

    screen.result(tomli_w.dumps(settings).rstrip())
    screen.result(f"work    {cells} interventions and the intact network, {(cells + 1) * images} passes over images")
