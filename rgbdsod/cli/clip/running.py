"""What `rgbdsod clip evaluate` and `rgbdsod clip attack` do with their flags."""

from collections.abc import Mapping
from typing import Any


def run_evaluate(flags: Mapping[str, Any]) -> None:
    """Check everything, then measure.

    Args:
        flags: the command's parameters by name.
    """
    raise NotImplementedError


def run_attack(flags: Mapping[str, Any]) -> None:
    """Check everything, then attack.

    Args:
        flags: the command's parameters by name.
    """
    raise NotImplementedError
