"""What makes two runs the same run."""

import json
import re
from collections.abc import Mapping
from typing import Any

from rgbdsod.errors import UsageError


def refuse_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """Compare two records.

    Args:
        before: of the folder; after: of the command that wants to continue it.

    Raises:
        UsageError: naming each setting that differs.
    """
    found = differences(before, after)
    if not found:
        return
    name, old, new = found[0]
    if name == "command":
        raise UsageError(f"this folder was made by {old}, now {new}; use --restart, or another --out")
    changed = "; ".join(f"{name}={old}, now {new}" for name, old, new in found)
    raise UsageError(f"this folder was made with {changed}; use --restart, or another --out")


def differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """What differs between two records, as (name, the one's, the other's); of other commands the commands alone."""
    if one.get("command") != other.get("command"):
        return [("command", str(one.get("command")), str(other.get("command")))]
    old, new = ({**(record.get("settings") or {}), **depends_on(record)} for record in (one, other))
    names = [name for name in sorted({*old, *new}) if old.get(name) != new.get(name)]
    return [(name, _show(old.get(name)), _show(new.get(name))) for name in names]


def depends_on(record: Mapping[str, Any]) -> dict[str, Any]:
    """What the numbers depend on beside the settings."""
    weights, data = record.get("model") or {}, record.get("data") or {}
    return {"weights sha256": weights.get("sha256"), "data fingerprint": data.get("fingerprint")}


def _show(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, str) and re.fullmatch(r"[0-9a-f]{40,}", value):
        return value[:8]
    return json.dumps(value) if not isinstance(value, str) else value
