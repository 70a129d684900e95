"""What an attack may see of the model."""

from typing import Literal, get_args

from rgbdsod.errors import UsageError

Knowledge = Literal["white", "score", "decision"]
"""Gradients too, outputs, or only whether its aim is reached."""


def demand(attack: str, has: Knowledge, needed: Knowledge) -> None:
    """Refuse to show more than the attack said that it would see.

    Args:
        attack: its name.
        has: what it said.
        needed: what it asks for.

    Raises:
        UsageError: so.
    """
    order = get_args(Knowledge)
    if order.index(has) > order.index(needed):
        what = "gradients" if needed == "white" else "scores"
        raise UsageError(f'attack "{attack}" asked for {what}, but it is one that sees {has}s only')
