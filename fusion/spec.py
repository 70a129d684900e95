"""Where two encoders meet, how, and what the result feeds: a fusion design as data. No torch here."""

from dataclasses import dataclass
from typing import Literal

from rgbdsod.errors import UsageError
from rgbdsod.fusion.table import OPERATORS

INPUT = 0
"""The level of the input itself: early fusion."""

MAPS = 6
"""The level of the saliency maps: decision fusion."""

ENCODER_LEVELS = (1, 2, 3, 4, 5)
"""Levels of the encoders, with strides 2, 4, 8, 16 and 32."""

Depth = Literal["d", "d3", "hha"]
Kind = Literal["single", "early", "feature", "multistage", "decision"]

_FLOWS = ("skip", "stream")
_DEPTHS = ("d", "d3", "hha")


@dataclass(frozen=True)
class FusionSpec:
    """One fusion design.

    Args:
        levels: where the streams meet: (0,) the input, one or several of 1 to 5 the encoders' levels (strides 2 to
            32), (6,) the maps of two complete networks, () nowhere (see `only`).
        op: how they are combined, a name in `OPERATORS`; the input is always concatenated.
        flow: what the result feeds: "skip" the decoder alone, "stream" also the later levels of the RGB encoder.
        encoder: name of the encoder.
        siamese: one encoder reads both inputs.
        own_norms: of a siamese encoder, each input has its own normalisation layers.
        depth: "d" one channel, "d3" one channel that the network repeats to three, "hha" three channels. A siamese
            encoder has three channels, so "d" is repeated for it too.
        symmetric: at levels that are not fused the decoder gets the mean of both streams instead of RGB alone.
        bottleneck: channels to which `concat` narrows first, None: it does not.
        only: the one input of a reference without fusion.

    Raises:
        UsageError: for a level, operator or combination that does not exist, with those that do.

    Example:
        >>> from rgbdsod.fusion import FusionSpec
        >>> FusionSpec(levels=(3,), op="gate").kind
        'feature'
    """

    levels: tuple[int, ...] = (2, 4, 5)
    op: str = "concat"
    flow: Literal["skip", "stream"] = "skip"
    encoder: str = "resnet18"
    siamese: bool = False
    own_norms: bool = False
    depth: Depth = "d"
    symmetric: bool = False
    bottleneck: int | None = None
    only: Literal["rgb", "depth"] | None = None

    def __post_init__(self) -> None:
        _check_choice("flow", self.flow, _FLOWS)
        _check_choice("depth", self.depth, _DEPTHS)
        _check_levels(self.levels, self.only)
        _check_operator(self)
        _check_streams(self)

    @property
    def kind(self) -> Kind:
        """The family of the design."""
        if self.only is not None:
            return "single"
        if self.levels == (INPUT,):
            return "early"
        if self.levels == (MAPS,):
            return "decision"
        return "feature" if len(self.levels) == 1 else "multistage"

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the inputs: "rgb" and "depth", or "hha" for encoded depth; one of them for a reference."""
        second = "hha" if self.depth == "hha" else "depth"
        return {"rgb": ("rgb",), "depth": (second,), None: ("rgb", second)}[self.only]

    @property
    def depth_channels(self) -> int:
        """Channels of depth that the network's first convolution reads."""
        return 1 if self.depth == "d" and not self.siamese else 3

    @property
    def two_encoders(self) -> bool:
        """Whether the streams meet between the encoders."""
        return self.kind in ("feature", "multistage")


def _check_choice(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise UsageError(f'no {name} "{value}"; there are {", ".join(known)}')


def _check_levels(levels: tuple[int, ...], only: str | None) -> None:
    if only is not None:
        _check_choice("reference", only, ("rgb", "depth"))
        if levels:
            raise UsageError(f'only="{only}" has nothing to fuse, but levels are {levels}; pass levels=()')
        return
    unknown = [level for level in levels if level not in (INPUT, *ENCODER_LEVELS, MAPS)]
    if unknown:
        raise UsageError(
            f"no level {unknown[0]}; there are 0 (the input), 1 to 5 (the encoders, strides 2 to 32) and 6 (the maps)"
        )
    if not levels:
        raise UsageError('no levels; pass some of 0 to 6, or only="rgb" or only="depth" for a network of one input')
    if list(levels) != sorted(set(levels)):
        raise UsageError(f"levels are {levels}; name each once, in rising order")
    if len(levels) > 1 and {INPUT, MAPS} & set(levels):
        raise UsageError(f"levels are {levels}; 0 (the input) and 6 (the maps) stand alone")


def _check_operator(spec: FusionSpec) -> None:
    if spec.op not in OPERATORS:
        raise UsageError(f'no fusion operator "{spec.op}"; there are {", ".join(OPERATORS.names())}')
    allowed = OPERATORS[spec.op].levels
    outside = [level for level in spec.levels if level not in (INPUT, *allowed)]
    if outside:
        known = ", ".join(map(str, allowed))
        raise UsageError(f'the operator "{spec.op}" works at levels {known}, but got level {outside[0]}')
    if spec.kind == "early" and spec.op != "concat":
        raise UsageError(f'inputs are always concatenated, so op="{spec.op}" has no effect at level 0; leave it out')
    if spec.bottleneck is not None and (spec.op != "concat" or not spec.two_encoders or spec.bottleneck < 1):
        raise UsageError(f'bottleneck={spec.bottleneck} is for op="concat" at levels 1 to 5, from 1 channel on')


def _check_streams(spec: FusionSpec) -> None:
    if spec.siamese and spec.kind in ("single", "early"):
        raise UsageError("siamese=True needs two streams; pass levels of 1 to 6")
    if spec.own_norms and not (spec.siamese and spec.two_encoders):
        raise UsageError("own_norms=True is for a siamese encoder; pass siamese=True and levels of 1 to 5")
    if spec.flow == "stream" and not spec.two_encoders:
        raise UsageError('flow="stream" needs two encoders; pass levels of 1 to 5')
    if spec.symmetric and not (spec.two_encoders and spec.flow == "skip"):
        raise UsageError('symmetric=True needs two encoders that stay separate: levels of 1 to 5 and flow="skip"')
