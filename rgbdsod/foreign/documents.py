"""JSON and TOML of others: whatever is wrong with them is a ValueError."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

from rgbdsod.foreign.files import TEXT, read_bytes

SETTINGS = 4 << 20
"""Bytes of a file of settings, a card, a plan."""

_PARTS = 64
# A key of very many parts: tomllib's time and memory grow with the square of their number.
_DOTTED = re.compile(
    rf"""(?<![\w-])(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){{{_PARTS}}}""",
)
_TOO_DEEP = "it is nested too deeply"


def parse_json(content: str | bytes) -> Any:
    """What a JSON text says.

    Raises:
        ValueError: it is none, is nested too deeply, or has text that no file can hold.
    """
    text = content.decode("utf-8") if isinstance(content, bytes) else content
    try:
        found = json.loads(text)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    if "\\ud" in text or "\\uD" in text:  # half a character, which cannot be printed or written
        json.dumps(found, ensure_ascii=False).encode()
    return found


def read_json(path: str | Path, most: int = TEXT) -> Any:
    """What a JSON file says.

    Raises:
        OSError: it cannot be opened.
        ValueError: see `parse_json`, and `read_bytes` for the size.
    """
    return parse_json(read_bytes(path, most))


def parse_toml(content: str | bytes) -> dict[str, Any]:
    """What a TOML text says.

    Raises:
        ValueError: it is none, or is nested too deeply.
    """
    text = content.decode("utf-8") if isinstance(content, bytes) else content
    if _DOTTED.search(text):
        raise ValueError(f"it has a key of more than {_PARTS} parts")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None


def read_toml(path: str | Path, most: int = SETTINGS) -> dict[str, Any]:
    """What a TOML file says.

    Raises:
        OSError: it cannot be opened.
        ValueError: see `parse_toml`, and `read_bytes` for the size.
    """
    return parse_toml(read_bytes(path, most))
