"""From class names to the texts that an image is compared with."""

from collections.abc import Sequence

from rgbdsod.errors import UsageError

GENERIC = "This is a photo of a {}"
"""The prompt of data sets that have none of their own; no full stop."""


def refined(name: str) -> str:
    """A class name in lower case, with spaces for `_`, `-` and `/`."""
    return " ".join(name.lower().translate(str.maketrans("_-/", "   ")).split())


def written(template: str, class_names: Sequence[str], *, refine: bool = True) -> list[str]:
    """One text for each class.

    Args:
        template: with {} for the class name.
        class_names: at least one.
        refine: make the names lower case and plain first, as with the generic template; data sets with a template of
            their own use the names as they stand.

    Raises:
        UsageError: no class, an empty name, or a template without {}.

    Example:
        >>> from rgbdsod.datasets.zero_shot.prompts import GENERIC, written
        >>> written(GENERIC, ["kit_fox"])
        ['This is a photo of a kit fox']
    """
    if "{}" not in template:
        raise UsageError(f'the prompt "{template}" has no {{}} for the class name; write such as "{GENERIC}"')
    if not class_names:
        raise UsageError("no class names; pass one for each class")
    empty = [position for position, name in enumerate(class_names) if not name.strip()]
    if empty:
        raise UsageError(f"class {empty[0]} has an empty name; name every class")
    return [template.replace("{}", refined(name) if refine else name) for name in class_names]
