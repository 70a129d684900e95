"""Which defences of a network's inputs exist. No torch here."""

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from rgbdsod.registry import Table

if TYPE_CHECKING:
    from rgbdsod.defenses.patch.purifier import Defence


@dataclass(frozen=True)
class DefenseRow:
    """One defence of inputs.

    Args:
        name: what a user types.
        path: where it is, "module:Class".
        summary: what it does.
        kind: a filter changes values, a switch drops an input that it takes for attacked.
        reads: what it looks at.
        changes: what it changes.
        differentiable: whether its gradient is exact, or that of a stand-in (bpda).
        random: whether two calls differ.
        passes: through networks, for one batch: F a forward of the model, u of a small network of its own.
        aware: how it is attacked knowingly.
        paper: authors, title and year; "" where it has none.
        arxiv: arXiv id, or "".
        needs: what else it needs, or "".
    """

    name: str
    path: str
    summary: str
    kind: Literal["filter", "switch"]
    reads: str
    changes: str
    differentiable: Literal["exact", "bpda", "none"] = "exact"
    random: bool = False
    passes: str = "0"
    aware: str = "exact gradient"
    paper: str = ""
    arxiv: str = ""
    needs: str = ""

    def load(self) -> "type[Defence]":
        """The defence's class; imports torch."""
        module, _, name = self.path.partition(":")
        found: type[Defence] = getattr(importlib.import_module(module), name)
        return found


_HERE = "rgbdsod.defenses.filters"
_PATCH = "rgbdsod.defenses.patch"
_EACH = "each input"
_PAIR = "rgb and depth"
_EOT = "exact gradient, expectation over its draws"
_SQUEEZE = "Xu et al., Feature Squeezing, 2018"

DEFENSES: Table[DefenseRow] = Table(
    "defense",
    [
        DefenseRow("jpeg", f"{_PATCH}.jpeg:Jpeg", "saved as JPEG of quality 75 and read again", "filter", _EACH, _EACH,
                   "bpda", aware="a differentiable codec",
                   paper="Dziugaite et al., A study of the effect of JPG compression, 2016", arxiv="1608.00853"),
        DefenseRow("bits", f"{_PATCH}.bits:Bits", "rounded to 32 levels", "filter", _EACH, _EACH, "bpda",
                   aware="the gradient of the identity", paper=_SQUEEZE, arxiv="1704.01155"),
        DefenseRow("median", f"{_PATCH}.median:Median", "the median of 5x5 pixels", "filter", _EACH, _EACH,
                   paper=_SQUEEZE, arxiv="1704.01155"),
        DefenseRow("tv", f"{_PATCH}.tv:TotalVariation", "total variation denoising of weight 0.1", "filter", _EACH,
                   _EACH, paper="Guo et al., Countering Adversarial Images using Input Transformations, 2018",
                   arxiv="1711.00117"),
        DefenseRow("bilateral", f"{_HERE}.bilateral:Bilateral", "means of 5x5 pixels that stop at edges", "filter",
                   _EACH, _EACH, paper="Tomasi and Manduchi, Bilateral Filtering, 1998"),
        DefenseRow("joint-bilateral", f"{_HERE}.bilateral:JointBilateral",
                   "depth smoothed within the edges of RGB; with target=rgb the reverse", "filter", _PAIR, "the target",
                   paper="Petschnigg et al., Flash and No-Flash Image Pairs, 2004"),
        DefenseRow("inpaint", f"{_HERE}.inpaint:DepthInpaint", "holes and spikes of depth filled from around them",
                   "filter", "depth", "depth"),
        DefenseRow("resize-pad", f"{_HERE}.resize_pad:ResizePad",
                   "shrunk by a random factor and laid at a random place; maps are brought back", "filter", _EACH,
                   _EACH, random=True, aware=_EOT, paper="Xie et al., Mitigating Adversarial Effects, 2018",
                   arxiv="1711.01991"),
        DefenseRow("shuffle", f"{_HERE}.shuffle:SegmentShuffle", "pixels shuffled within superpixels", "filter", _EACH,
                   _EACH, random=True, aware=_EOT, paper="Li et al., ROSA, 2019", arxiv="1905.03434"),
        DefenseRow("feature-noise", f"{_HERE}.feature_noise:FeatureNoise", "noise on the features of each stem",
                   "filter", _EACH, "features", random=True, aware=_EOT, paper="after Wang et al., LeNo, 2022",
                   arxiv="2210.15392", needs="a model"),
        DefenseRow("rebuild", f"{_HERE}.rebuild:Rebuild",
                   "depth drawn anew from RGB and its own visible parts; with target=rgb the reverse", "filter", _PAIR,
                   "the target", passes="5 encoders + 4u", paper="after Lin et al., ContextBLIP, 2024",
                   arxiv="2405.19226", needs="a model trained with --masked"),
        DefenseRow("depurator", f"{_PATCH}.switches.depurator:Depurator",
                   "depth is dropped where maps with it and of it alone are far apart", "switch", _PAIR, "depth",
                   "bpda", passes="3F", aware="soft switch, its score in the loss",
                   paper="Fan et al., D3Net, 2021", arxiv="1907.06781", needs="a model"),
        DefenseRow("pair-head", f"{_PATCH}.switches.pair_head:PairHead",
                   "the input is dropped that heads of an alignment training accuse", "switch", _PAIR, _EACH, "bpda",
                   passes="1F", aware="soft switch, its score in the loss",
                   paper="after Shao et al., HAMMER, 2023", arxiv="2304.02556",
                   needs="a model trained with --manipulation, clean images"),
        DefenseRow("detect", f"{_HERE}.detect:Detect",
                   "the input is dropped that looks more attacked than clean images do", "switch", _PAIR,
                   "what it watches", "bpda", passes="3F", aware="soft switch, its score in the loss",
                   paper="after Xu et al., Feature Squeezing, 2018", arxiv="1704.01155",
                   needs="a model, clean images"),
    ],
)  # fmt: skip
"""All defences of inputs, by name; those that patches have too are the same classes."""
