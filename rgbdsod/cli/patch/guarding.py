"""Flags that `rgbdsod patch defend` and `rgbdsod patch evaluate` share, and what is read from them."""

import re
from collections.abc import Mapping
from typing import Annotated, Any

from typer import Option

from rgbdsod.errors import UsageError
from rgbdsod.run.patch_defense.choice import GuardChoice, PatchChoice, names_of

_PATCH, _GUARD = "Patch", "Defences"

Size = Annotated[str, Option(help="Share of the image that the patch covers.", rich_help_panel=_PATCH)]
Shape = Annotated[str, Option(help="square, disc, rounded, or sides such as 3:2.", rich_help_panel=_PATCH)]
Where = Annotated[
    str,
    Option(
        help="random, fixed, on-object, off-object, boundary, box, worst, learned; apde: every box.",
        rich_help_panel=_PATCH,
    ),
]
At = Annotated[str, Option(help="fixed: centre as shares of width and height.", rich_help_panel=_PATCH)]
Transforms = Annotated[str, Option(help="none, digital, print, hard, ...: drawn at each step.", rich_help_panel=_PATCH)]
Draws = Annotated[int, Option(help="Of the transforms in one gradient.", rich_help_panel=_PATCH)]
Steps = Annotated[int, Option(help="Of a restart.", rich_help_panel=_PATCH)]
Restarts = Annotated[int, Option(help="Runs; each image keeps its best.", rich_help_panel=_PATCH)]

Thresholds = Annotated[
    str, Option(help="Of localisers: calibrated by clean images, paper, or both.", rich_help_panel=_GUARD)
]
Calibration = Annotated[
    str | None, Option(help="Clean images that set thresholds; default: others, or these.", rich_help_panel=_GUARD)
]
Share = Annotated[float, Option(help="Of clean pixels that may be masked.", rich_help_panel=_GUARD)]
Aware = Annotated[
    bool, Option("--aware/--no-aware", help="Also patches that know the defence.", rich_help_panel=_GUARD)
]
Penalty = Annotated[
    str, Option(help="Weights of the defence's score, an attack for each: 0.1,1,10.", rich_help_panel=_GUARD)
]
Search = Annotated[
    str, Option(help="gradient; spsa: by scores alone besides, from the worst patch.", rich_help_panel=_GUARD)
]
Queries = Annotated[int, Option(help="spsa: for one gradient; 256 is thorough.", rich_help_panel=_GUARD)]
Checks = Annotated[
    bool, Option("--checks/--no-checks", help="Also test the attacks, on three images.", rich_help_panel=_GUARD)
]
Expectation = Annotated[int, Option(help="Draws of a random defence in one gradient.", rich_help_panel=_GUARD)]


def guard_choice(flags: Mapping[str, Any], modality: str) -> GuardChoice:
    """Patch and defences as flags say.

    Args:
        flags: a command's parameters by name.
        modality: of the patch.

    Raises:
        UsageError: a name or a number that cannot be.
    """
    from rgbdsod.run.threats import parse_number

    own = {name: flags[name] for name in ("size", "shape", "where", "at", "transforms", "draws", "steps", "restarts")}
    own |= {name: flags[name] for name in ("depth_mode", "depth_kind") if name in flags}
    if flags["defense"].strip() == "":
        raise UsageError("--defense is empty; pass names such as lgs,jedi, or none")
    return GuardChoice(
        defenses=names_of(flags["defense"]),
        thresholds=flags["thresholds"],
        share=flags["share"],
        aware=flags["aware"],
        penalties=tuple(parse_number(part, "--penalty") for part in flags["penalty"].split(",") if part.strip()),
        search=flags["search"],
        queries=flags["queries"],
        checks=flags["checks"],
        expectation=flags["expectation"],
        seed=flags["seed"],
        patch=PatchChoice(modality=modality, **own),
    ).checked()


def image_size(text: str | None) -> tuple[int, int] | None:
    """`--image-size HxW`; None where it is not given.

    Raises:
        UsageError: it is no size.
    """
    found = None if text is None else re.fullmatch(r"([1-9]\d*)[xX,]([1-9]\d*)", text)
    if text is not None and found is None:
        raise UsageError(f"--image-size {text}: expected HxW, for example 352x352")
    return None if found is None else (int(found[1]), int(found[2]))
