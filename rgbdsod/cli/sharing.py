"""`--shard`: what is shown of a run that other processes have yet to finish."""

import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rgbdsod.cli.screen import Screen
from rgbdsod.run.share import Share

if TYPE_CHECKING:
    from rgbdsod.run.execute import Outcome


def share_of(flags: Mapping[str, Any]) -> Share | None:
    """The share that `--shard` names."""
    return None if flags["shard"] is None else Share.parse(flags["shard"])


def show_share(screen: Screen, outcome: "Outcome", share: Share | None) -> None:
    """How far the run is; its results come with its last image."""
    there, missing = len(outcome.piece.ids), len(outcome.missing)
    if screen.as_json:
        screen.document(
            {
                "schema": "rgbdsod.share/1",
                "share": str(share),
                "images": there + missing,
                "computed": there,
                "run": str(outcome.folder),
            }
        )
        return
    screen.result(f"share   {share} is through; {there} of {there + missing} images of the run are computed")
    screen.result(f"saved   {shlex.quote(str(outcome.folder))}    the share that ends last writes the results")
