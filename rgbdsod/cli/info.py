"""`rgbdsod info NAME`: everything known about a model, an attack, a data set, a metric, a detector or a defence."""

from dataclasses import asdict
from typing import Annotated

from typer import Argument

from rgbdsod.cli import options
from rgbdsod.cli.screen import Screen
from rgbdsod.run.catalogue import info
from rgbdsod.run.plugins import load_plugins


def command(
    name: Annotated[str, Argument(help="A name that `rgbdsod list` shows.")],
    fusion: options.Fusion = None,
    encoder: options.Encoder = None,
    plugin: options.Plugin = None,
    json: options.Json = False,
) -> None:
    """Show parameters with defaults, cost, paper, weights and licence of a name."""
    screen = Screen(as_json=json)
    load_plugins(plugin or ())
    found = info(name, fusion=fusion, encoder=encoder)
    if json:
        screen.document({"schema": "rgbdsod.info/1", **asdict(found)})
        return
    lines = {found.kind: found.name, "summary": found.summary, **found.facts}
    for key, value in found.parameters.items():
        allowed = f" ({found.ranges[key]})" if found.ranges.get(key) else ""
        lines[_typed(found.kind, key)] = f"default {_show(value, found.kind)}{allowed}"
    width = max(len(key) for key in lines)
    for key, value in lines.items():
        screen.result(f"{key.ljust(width)}  {value}")


def _typed(kind: str, parameter: str) -> str:
    """How a parameter is given: as a flag, through --set, or, of a defence, within its name or in Python."""
    if kind in ("defense", "patch-defense"):
        return f"{parameter}="
    return f"--set {parameter}=" if kind == "method" else f"--{parameter.replace('_', '-')}"


def _show(value: object, kind: str) -> str:
    chosen = "chosen by the attack" if kind == "attack" else "its own choice"
    return chosen if value is None else str(value)
