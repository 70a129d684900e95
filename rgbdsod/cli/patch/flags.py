"""Flags that the commands of `rgbdsod patch` share, each with its help text."""

from collections.abc import Mapping
from typing import Annotated, Any

from typer import Option

PATCH = "Patch"

Size = Annotated[str, Option(help="What the patch covers of an image: 5% or 0.05.", rich_help_panel=PATCH)]
Where = Annotated[
    str, Option(help="on-object, off-object, boundary, box, random, fixed, worst, learned.", rich_help_panel=PATCH)
]
At = Annotated[str, Option(help="fixed: the centre as shares of width and height.", rich_help_panel=PATCH)]
DepthKind = Annotated[str, Option(help="What depth means: unknown, inverse or metric:NEAR-FAR.", rich_help_panel=PATCH)]
Goal = Annotated[str, Option(help="hide, ghost, swap, degrade or self.", rich_help_panel=PATCH)]
Modality = Annotated[str | None, Option(help="rgb, depth or both (joint); default: all inputs.", rich_help_panel=PATCH)]

_RECORDED = ("fitted_on", "patch_sha256", "shape_sha256")  # what a config.toml holds that nobody types


def typed(extra: Mapping[str, Any]) -> dict[str, Any]:
    """Settings that are no flags, but for those that a run writes itself."""
    return {name: value for name, value in extra.items() if name not in _RECORDED}
