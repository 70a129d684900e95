"""The sizes that a network works at. No torch here."""

from rgbdsod.errors import UsageError


def check_size(network: str, size: tuple[int, int], multiple: int) -> None:
    """Refuse a size that a network cannot work at.

    Args:
        network: its name, for the message.
        size: height and width in pixels.
        multiple: what both must be multiples of.

    Raises:
        UsageError: with the nearest size that would do.
    """
    if any(side < 1 or side % multiple for side in size):
        fitting = [max(multiple, round(side / multiple) * multiple) for side in size]
        raise UsageError(
            f"{network} works at heights and widths that are multiples of {multiple}, but got {size[0]}x{size[1]}; "
            f"{fitting[0]}x{fitting[1]} would do"
        )
