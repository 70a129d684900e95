"""Which inputs a defence works on, and what it refuses."""

from torch import Tensor

from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs

_COLOUR = ("rgb", "image")


def chosen(inputs: Inputs, on: tuple[str, ...] | None, colour_only: bool, name: str) -> dict[str, Tensor]:
    """The inputs to work on: those named, else the RGB image alone or all.

    Raises:
        UsageError: a named input is missing; nothing to work on; no batch of float images of 1 or 3 channels; images
            of different sizes.
    """
    names = on if on is not None else tuple(key for key in inputs if not colour_only or key in _COLOUR)
    if missing := [key for key in names if key not in inputs]:
        raise UsageError(f'{name} works on "{missing[0]}" but the inputs are {_listed(inputs)}; pass on=(...) of these')
    if not names:
        wanted = 'an "rgb" or "image" input' if colour_only else "an input"
        raise UsageError(f"{name} needs {wanted}, and the inputs are {_listed(inputs)}; pass on=(...) to name one")
    images = {key: _image(key, inputs[key], name) for key in names}
    if len({image.shape[-2:] for image in images.values()} | {image.shape[:1] for image in images.values()}) > 2:
        shapes = ", ".join(f"{key} {tuple(image.shape)}" for key, image in images.items())
        raise UsageError(f"{name} works on images of one size and number, and got {shapes}; resize them first")
    return images


def check_window(name: str, window: int, image: Tensor, fix: str) -> None:
    """Refuse a window that is larger than the image."""
    height, width = image.shape[-2:]
    if window > min(height, width):
        raise UsageError(f"{name} looks through windows of {window} pixels, and the image has {height}x{width}; {fix}")


def _image(key: str, image: Tensor, name: str) -> Tensor:
    if not isinstance(image, Tensor) or image.ndim != 4 or image.shape[1] not in (1, 3) or 0 in image.shape:
        found = tuple(image.shape) if isinstance(image, Tensor) else type(image).__name__
        raise UsageError(f'{name} got "{key}" as {found}; pass at least one image, (B,3,H,W) or (B,1,H,W)')
    if not image.is_floating_point():
        raise UsageError(f'{name} got "{key}" as {image.dtype}; pass floats in [0, 1]')
    return image


def _listed(inputs: Inputs) -> str:
    return ", ".join(inputs) or "none"
