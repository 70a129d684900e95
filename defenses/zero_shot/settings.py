"""Checks of what a user may set. No torch here."""

from typing import Any, get_args

from rgbdsod.errors import UsageError


def check_choice(name: str, value: str, choices: Any) -> None:
    """Refuse a value that is not among those of a `Literal`.

    Raises:
        UsageError: so.
    """
    if value not in get_args(choices):
        raise UsageError(f'no {name} "{value}"; it is one of {", ".join(get_args(choices))}')


def check_weights(**weights: float) -> None:
    """Refuse weights of losses that are below 0 or no numbers.

    Raises:
        UsageError: so.
    """
    for name, value in weights.items():
        if not 0 <= value < float("inf"):
            raise UsageError(f"{name} {value:g} is no weight; pass 0 or more")


def check_share(**shares: float) -> None:
    """Refuse shares outside [0, 1].

    Raises:
        UsageError: so.
    """
    for name, value in shares.items():
        if not 0 <= value <= 1:
            raise UsageError(f"{name} {value:g} is no share; pass a number from 0 to 1")
