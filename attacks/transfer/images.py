"""What attacks that filter or resize need of their inputs."""

from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs


def check_images(points: Inputs, what: str) -> None:
    """Refuse inputs without rows and columns.

    Args:
        points: the attacked inputs.
        what: is done to them, for the message.

    Raises:
        UsageError: so.
    """
    for name, value in points.items():
        if value.ndim != 4:
            raise UsageError(
                f'{what} needs images (B,C,H,W), but input "{name}" has shape {tuple(value.shape)}; '
                "use an attack that takes any input, such as nifgsm"
            )
