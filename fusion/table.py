"""What fusion operators exist, as data. No torch here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rgbdsod.registry import Table

_ENCODERS = (1, 2, 3, 4, 5)
_DEEP = (4, 5)
_EVERYWHERE = (*_ENCODERS, 6)


@dataclass(frozen=True)
class OperatorRow:
    """One way to combine two feature maps of one shape.

    Args:
        name: what a user types.
        module: "module:Class"; the class is called with the maps' channels, its instances with (rgb, depth).
        summary: one line.
        levels: where it works: 1 to 5 in the encoders, 6 on the maps.
        source: the publication.
        options: further arguments of the class.
    """

    name: str
    module: str
    summary: str
    levels: tuple[int, ...] = _ENCODERS
    source: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)


def _row(name: str, module: str, summary: str, levels: tuple[int, ...], source: str = "") -> OperatorRow:
    return OperatorRow(name, f"rgbdsod.fusion.operators.{module}", summary, levels, source)


OPERATORS: Table[OperatorRow] = Table(
    "fusion operator",
    [
        _row("sum", "pointwise:Sum", "r + d", _EVERYWHERE),
        _row("mean", "pointwise:Mean", "(r + d) / 2", _EVERYWHERE),
        _row("weighted", "pointwise:Weighted", "a r + b d, a and b learned for each channel", _EVERYWHERE),
        _row("concat", "pointwise:Concat", "1x1 convolution of both, with an optional bottleneck", _EVERYWHERE),
        _row("gate", "pointwise:Gate", "g r + (1 - g) d, g the sigmoid of a 1x1 convolution of both", _EVERYWHERE),
        _row("attention", "attention:Attention", "r + d after a channel and a spatial gate", _ENCODERS,
             "Fan et al., BBS-Net (ECCV 2020)"),
        _row("cross", "attention:Cross", "r + cross-attention: each place of r asks all places of d", _DEEP,
             "Vaswani et al. (NeurIPS 2017)"),
        _row("experts", "experts:Experts", "shared attention, feed-forward layers per modality and for fused tokens",
             _DEEP, "Bao et al., VLMo (NeurIPS 2022); Wang et al., BEiT-3 (CVPR 2023)"),
        _row("queries", "queries:Queries", "a few learned queries read both streams, r reads the queries", _DEEP,
             "Li et al., BLIP-2 (ICML 2023)"),
    ],
)  # fmt: skip
"""All operators, by name."""
