"""`rgbdsod patch`: patches made, laid on other images, defended against, exported."""

from collections.abc import Callable, Mapping

from rgbdsod.cli.patch.apply import apply
from rgbdsod.cli.patch.export import export
from rgbdsod.cli.patch.make import make

COMMANDS: Mapping[str, Callable[..., None]] = {
    "make": make,
    "apply": apply,
    "export": export,
}
