"""`rgbdsod info NAME`: everything known about a model, an attack, a data set or a metric."""

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
        flag = f"--set {key}=" if found.kind == "method" else f"--{key.replace('_', '-')}"
        lines[flag] = f"default {_show(value)}{allowed}"
    width = max(len(key) for key in lines)
    for key, value in lines.items():
        screen.result(f"{key.ljust(width)}  {value}")


def _show(value: object) -> str:
    return "chosen by the attack" if value is None else str(value)
