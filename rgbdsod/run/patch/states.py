"""The states in which a picture is measured, and the parts of it that count."""

from collections.abc import Sequence

from rgbdsod.run.definitions import PROTOCOLS

STATES = {
    "clean": "clean",
    "patched": "the patch",
    "drawn": "the patch, under its transforms",
    "grey": "a grey card",
    "noise": "random noise",
    "crop": "a piece of another picture",
    "other": "the patch of another picture",
    "shuffled": "the patch, pixels shuffled",
}
"""Short names, and how tables call them."""

HEAD = ("id", "placed", "covered", "top", "left", "bottom", "right", "place", "stretch")
"""Columns that do not belong to a state: what the patch covers, its box in pixels, its homography as JSON, and how far
a loader that stretches each depth map would move what lies outside it."""

CONTROLS = ("grey", "noise", "crop", "other", "shuffled")
"""States in which something that was not made for this picture lies at the patch's place."""

REGIONS = {
    "all": "the whole picture",
    "rest": "all but the patch",
    "far": "farther from the patch than 5 % of the longer side",
}

MEASURES = ("mae", "fm_max", "em_max", "sm", "iou_bin")
"""What is measured over the whole picture; over a part of it no S-measure, which compares halves of a picture."""


def measures_of(region: str) -> tuple[str, ...]:
    """The measures of a region."""
    return MEASURES if region == "all" else tuple(name for name in MEASURES if name != "sm")


def column(state: str, measure: str, region: str = "all", protocol: str = "benchmark") -> str:
    """The name of a measure in the table of images."""
    part = "" if region == "all" else f"_{region}"
    return f"{state}_{measure}{part}" + ("_raw" if protocol == "raw" else "")


def blank_row(states: Sequence[str], facts: Sequence[str]) -> dict[str, None]:
    """A row of the table of images without any number.

    Args:
        states: those that are measured.
        facts: columns of the search.
    """
    names = [*HEAD, *facts]
    for state in states:
        names += [
            column(state, measure, region, protocol)
            for region in REGIONS
            for protocol in PROTOCOLS
            for measure in measures_of(region)
        ]
        names += [f"{state}_reached", f"{state}_on_patch"]
    return dict.fromkeys(names)
