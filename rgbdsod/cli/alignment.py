"""The flags of `rgbdsod train` that add alignment losses, drop an input now and then, or filter pairs."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from typer import Option

from rgbdsod.errors import UsageError

if TYPE_CHECKING:
    from rgbdsod.run.alignment_settings import AlignmentSettings
    from rgbdsod.run.pair_filter import PairFilter

_PANEL = "Alignment of RGB and depth"

_WEIGHTS = ("itc", "itc_dense", "itm", "masked", "manipulation")
_KNOBS = {
    "itc_pool": ("itc",),
    "queue": ("itc",),
    "momentum": ("queue",),
    "distill": ("queue",),
    "manipulation_shared": ("manipulation",),
    "filter_mode": ("filter",),
    "filter_share": ("filter",),
}
_FIELDS = {"itc_pool": "pool", "manipulation_shared": "shared"}

FLAGS = (*_WEIGHTS, *_KNOBS, "modality_dropout", "filter")
"""Names of the parameters."""

Itc = Annotated[float | None, Option(help="Weight of the RGB-depth contrast, such as 0.1.", rich_help_panel=_PANEL)]
ItcDense = Annotated[float | None, Option(help="Weight of the contrast between places.", rich_help_panel=_PANEL)]
ItcPool = Annotated[str | None, Option(help="gap, mask (the object) or attn; default: gap.", rich_help_panel=_PANEL)]
Itm = Annotated[float | None, Option(help="Weight of RGB-depth matching.", rich_help_panel=_PANEL)]
Masked = Annotated[float | None, Option(help="Weight of guided masked modelling.", rich_help_panel=_PANEL)]
Manipulation = Annotated[float | None, Option(help="Weight of finding the attacked input.", rich_help_panel=_PANEL)]
ManipulationShared = Annotated[
    bool, Option("--manipulation-shared", help="It trains the encoders too.", rich_help_panel=_PANEL)
]
Queue = Annotated[int | None, Option(help="Earlier images that --itc compares with.", rich_help_panel=_PANEL)]
Momentum = Annotated[float | None, Option(help="Of the encoders' copy; default: 0.995.", rich_help_panel=_PANEL)]
Distill = Annotated[float | None, Option(help="Share of its soft targets; default: 0.4.", rich_help_panel=_PANEL)]
ModalityDropout = Annotated[float | None, Option(help="Share of images that lose an input.", rich_help_panel=_PANEL)]
Filter = Annotated[str | None, Option(help="A training with --itm, which judges the pairs.", rich_help_panel=_PANEL)]
FilterMode = Annotated[str | None, Option(help="drop or weight foreign pairs; default: drop.", rich_help_panel=_PANEL)]
FilterShare = Annotated[float | None, Option(help="Share of the pairs to drop.", rich_help_panel=_PANEL)]


def alignment_settings(flags: Mapping[str, Any]) -> "AlignmentSettings | None":
    """The losses that the flags ask for; None: none.

    Raises:
        UsageError: a value is out of range, or a knob has no loss to act on.
    """
    for name, needed in _KNOBS.items():
        if flags[name] not in (None, False) and not any(flags[key] for key in needed):
            raise UsageError(f"--{_dashed(name)} has no effect without {' or '.join(f'--{key}' for key in needed)}")
    names = [name for name in (*_WEIGHTS, *_KNOBS) if not name.startswith("filter")]
    given = {_FIELDS.get(name, name): flags[name] for name in names if flags[name] not in (None, False)}

    from rgbdsod.run.alignment_settings import AlignmentSettings

    settings = AlignmentSettings(**given)
    return settings if settings.weights else None


def pair_filter(flags: Mapping[str, Any]) -> "PairFilter | None":
    """The filter that the flags ask for; None: none."""
    if flags["filter"] is None:
        return None

    from rgbdsod.run.pair_filter import PairFilter

    return PairFilter(flags["filter"], flags["filter_mode"] or "drop", flags["filter_share"])


def _dashed(name: str) -> str:
    return name.replace("_", "-")
