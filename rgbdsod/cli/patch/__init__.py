"""`rgbdsod patch`: patches made, laid on other images, defended against, certified, exported."""

from collections.abc import Callable, Mapping

from rgbdsod.cli.patch.apply import apply
from rgbdsod.cli.patch.certify import certify
from rgbdsod.cli.patch.defend import defend
from rgbdsod.cli.patch.evaluate import evaluate
from rgbdsod.cli.patch.export import export
from rgbdsod.cli.patch.make import make
from rgbdsod.cli.patch.maps import maps
from rgbdsod.cli.patch.stats import stats

COMMANDS: Mapping[str, Callable[..., None]] = {
    "make": make,
    "apply": apply,
    "defend": defend,
    "evaluate": evaluate,
    "certify": certify,
    "maps": maps,
    "export": export,
    "stats": stats,
}
