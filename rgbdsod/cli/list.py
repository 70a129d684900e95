"""`rgbdsod list`: what there is."""

from dataclasses import asdict
from typing import Annotated

from typer import Argument

from rgbdsod.cli import options
from rgbdsod.cli.screen import Screen
from rgbdsod.errors import UsageError
from rgbdsod.run.catalogue import STAGES, TABLES, listing
from rgbdsod.run.descriptions import Info
from rgbdsod.run.plugins import load_plugins


def command(
    kind: Annotated[
        str | None,
        Argument(
            help="models, attacks, objectives, datasets, metrics, methods, presets, detectors, patch-defenses, "
            "hardenings, stages, or a wildcard."
        ),
    ] = None,
    pattern: Annotated[str | None, Argument(help="A wildcard: 'jldcf*'.")] = None,
    plugin: options.Plugin = None,
    json: options.Json = False,
) -> None:
    """List models, attacks, data sets, metrics, methods and presets of `clip train`, detectors, defences."""
    screen = Screen(as_json=json)
    load_plugins(plugin or ())
    found = _find(kind, pattern)
    if json:
        screen.document(
            {"schema": "rgbdsod.list/1", "kinds": {k: [asdict(item) for item in items] for k, items in found.items()}}
        )
        return
    for name, items in found.items():
        screen.result(f"{name}")
        width = max(len(item.name) for item in items)
        for group, members in _groups(items).items():
            if group:
                screen.result(f"  {group}")
            for item in members:
                screen.result(f"  {item.name.ljust(width)}  {item.summary}")


def _groups(items: list[Info]) -> dict[str, list[Info]]:
    """Attacks by what they see and look for; everything else in one group without a name."""
    groups: dict[str, list[Info]] = {}
    for item in items:
        sees = item.facts.get("sees", "").partition(":")[0]
        groups.setdefault(f"-- sees {sees}; {item.facts['looks for']}" if sees else "", []).append(item)
    return groups


def _find(kind: str | None, pattern: str | None) -> dict[str, list[Info]]:
    """Rows by kind; a first word that is no kind is a wildcard over all kinds."""
    kinds = list(TABLES)
    if kind is not None and f"{kind.rstrip('s')}s" in (*TABLES, STAGES):
        kinds = [f"{kind.rstrip('s')}s"]
    elif kind is not None and pattern is None:
        pattern = kind
    elif kind is not None:
        raise UsageError(f'no kind "{kind}"; there are {", ".join([*TABLES, STAGES])}')
    found = {name: items for name in kinds if (items := listing(name, pattern or "*"))}
    if not found:
        raise UsageError(f'nothing matches "{pattern}" among {", ".join(kinds)}')
    return found
