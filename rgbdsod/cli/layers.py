"""Where a setting comes from: flag, then --set, then --config, then the environment, then the default."""

import os
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from typer.core import TyperCommand

from rgbdsod.errors import UsageError
from rgbdsod.foreign.documents import read_toml
from rgbdsod.foreign.files import reason

PREFIX = "RGBDSOD_"

_META = ("config", "set_", "help")


class LayeredCommand(TyperCommand):
    """A command whose flags also have values in `--set`, `--config` and the environment."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the lower layers where flags that are absent look for a value."""
        given, _, _ = self.make_parser(ctx).parse_args(args=list(args))
        known = {param.name: param for param in self.get_params(ctx) if param.name not in _META}
        layers = [_environment(known)]
        if given.get("config"):
            layers.append(_file(Path(given["config"]), str(self.name)))
        layers.append(_assignments(given.get("set_") or ()))
        merged: dict[str, Any] = {}
        for layer in (*layers, given):
            if layer.get("eps") is not None:  # one radius for all replaces those by input of a lower layer
                merged = {key: value for key, value in merged.items() if not key.startswith("eps_")}
            merged |= {} if layer is given else layer
        ctx.default_map = {key: _fitting(known[key], value) for key, value in merged.items() if key in known}
        ctx.obj = {"extra": {k: v for k, v in merged.items() if k not in known}, "known": sorted(known)}
        rest: list[str] = super().parse_args(ctx, args)
        return rest


def refuse_unknown(extra: Mapping[str, Any], known: list[str], command: str) -> None:
    """Settings that no flag and no attack knows.

    Raises:
        UsageError: with the closest name.
    """
    for key in extra:
        close = get_close_matches(key, known, n=1, cutoff=0.6)
        hint = f'; did you mean "{close[0]}"?' if close else ""
        raise UsageError(f'no setting "{key}"{hint} (rgbdsod {command} --help)')


def _environment(known: Mapping[str, Any]) -> dict[str, Any]:
    return {name: os.environ[key] for name in known if (key := PREFIX + name.upper()) in os.environ}


def _file(path: Path, command: str) -> dict[str, Any]:
    """Settings in a run's config.toml."""
    try:
        settings = read_toml(path)
    except OSError as error:
        raise UsageError(f"--config {path}: {(error.strerror or str(error)).lower()}") from error
    except ValueError as error:  # UnicodeDecodeError and TOMLDecodeError
        raise UsageError(f"--config {path} is not a TOML file: {reason(error)}") from error
    made_by = settings.pop("command", command)
    if made_by != command:
        raise UsageError(f'--config {path} is of "rgbdsod {made_by}", not of "rgbdsod {command}"')
    return {key: _as_text(value) for key, value in settings.items()}


def _assignments(pairs: tuple[str, ...]) -> dict[str, Any]:
    """KEY=VALUE settings."""
    found = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key.strip():
            raise UsageError(f"--set {pair}: expected KEY=VALUE, for example --set steps=40")
        found[key.strip().lstrip("-").replace("-", "_")] = value.strip()
    return found


def _fitting(param: Any, value: Any) -> Any:
    """A value as its flag takes it: a flag that may be repeated takes a list."""
    return value.split(",") if getattr(param, "multiple", False) and isinstance(value, str) else value


def _as_text(value: Any) -> Any:
    """A setting as a user would type it."""
    if isinstance(value, list):
        return ",".join(str(item) for item in value)
    return value if isinstance(value, bool) else str(value)
