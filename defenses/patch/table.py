"""Which defences against patches exist. No torch here."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

from rgbdsod.errors import UsageError
from rgbdsod.registry import Table

if TYPE_CHECKING:
    from rgbdsod.defenses.patch.purifier import Defence


@dataclass(frozen=True)
class PatchDefenseRow:
    """One defence.

    Args:
        name: what a user types.
        path: where it is, "module:Class".
        summary: what it does.
        kind: a filter changes all pixels, a localiser looks for the patch, a switch drops a whole input, a clipping
            changes the model, a reference is a row of comparison.
        paper: authors, title and year; "" where it has none.
        arxiv: arXiv id, or "".
        passes: through networks, for one batch: F a forward of the model, u of a small network of its own.
        aware: how it is attacked knowingly.
        trained: whether it needs weights.
        needs: what else a call needs, or "".
    """

    name: str
    path: str
    summary: str
    kind: Literal["filter", "localiser", "switch", "clipping", "reference"]
    paper: str = ""
    arxiv: str = ""
    passes: str = "0"
    aware: str = "exact gradient"
    trained: bool = False
    needs: str = ""

    def load(self) -> "type[Defence]":
        """The defence's class; imports torch."""
        module, _, name = self.path.partition(":")
        found: type[Defence] = getattr(importlib.import_module(module), name)
        return found


_HERE = "rgbdsod.defenses.patch"
_SQUEEZE = "Xu et al., Feature Squeezing, 2018"

PATCH_DEFENSES: Table[PatchDefenseRow] = Table(
    "patch-defense",
    [
        PatchDefenseRow("none", f"{_HERE}.reference:Undefended", "nothing: the undefended model", "reference"),
        PatchDefenseRow("oracle", f"{_HERE}.reference:Oracle",
                        "the true mask, filled: the ceiling of every localiser; with on= the attacked modality alone",
                        "reference", needs="the true masks"),
        PatchDefenseRow("random-mask", f"{_HERE}.reference:RandomMask",
                        "as many pixels masked somewhere else: the price of masking", "reference",
                        aware="expectation over its draws", needs="the true masks"),
        PatchDefenseRow("jpeg", f"{_HERE}.jpeg:Jpeg", "saved as JPEG of quality 75 and read again", "filter",
                        "Dziugaite et al., A study of the effect of JPG compression, 2016", "1608.00853",
                        aware="a differentiable codec"),
        PatchDefenseRow("bits", f"{_HERE}.bits:Bits", "rounded to 32 levels", "filter", _SQUEEZE, "1704.01155",
                        aware="the gradient of the identity"),
        PatchDefenseRow("median", f"{_HERE}.median:Median", "the median of 5x5 pixels", "filter", _SQUEEZE,
                        "1704.01155"),
        PatchDefenseRow("tv", f"{_HERE}.tv:TotalVariation", "total variation denoising of weight 0.1", "filter",
                        "Guo et al., Countering Adversarial Images using Input Transformations, 2018", "1711.00117"),
        PatchDefenseRow("lgs", f"{_HERE}.lgs:Lgs", "blocks of dense edges are darkened by as much as they are edges",
                        "localiser", "Naseer et al., Local Gradients Smoothing, 2019", "1807.01216",
                        aware="soft block threshold, penalty on block means"),
        PatchDefenseRow("jedi", f"{_HERE}.jedi:Jedi", "windows of unusual entropy, closed and inpainted", "localiser",
                        "Tarchoun et al., Jedi, 2023", "2304.10029", aware="soft histogram, penalty on the entropy"),
        PatchDefenseRow("pad-lite", f"{_HERE}.pad_lite:PadLite",
                        "windows unlike their neighbours that change under JPEG, by superpixels; not PAD", "localiser",
                        "after Jing et al., PAD: Patch-Agnostic Defense, 2024", "",
                        aware="penalty on the change under a differentiable codec"),
        PatchDefenseRow("zmask", f"{_HERE}.features.zmask:ZMask",
                        "pixels at which layers of the victim are far more active than on clean images", "localiser",
                        "Rossolini et al., Z-Mask, 2023", "2203.07341",
                        "1F", aware="exact through the features, soft threshold, penalty on the z-scores",
                        needs="a model, clean images"),
        PatchDefenseRow("fnc", f"{_HERE}.features.fnc:FeatureNormClipping",
                        "in the victim's first stages no feature vector is longer than the mean", "clipping",
                        "Yu et al., Clipping Feature Norms, 2021", "",
                        needs="a model"),
        PatchDefenseRow("sac", f"{_HERE}.learned.sac:Sac", "a trained segmenter, its mask completed to rectangles",
                        "localiser", "Liu et al., Segment and Complete, 2022", "2112.04532", "1u",
                        aware="sigmoid mask, straight-through completion", trained=True),
        PatchDefenseRow("patchzero", f"{_HERE}.learned.patchzero:PatchZero",
                        "the segmenter of sac alone; masked pixels become the mean", "localiser",
                        "Xu et al., PatchZero, 2023", "2207.01795", "1u", aware="sigmoid mask", trained=True),
        PatchDefenseRow("adyolo", f"{_HERE}.learned.adyolo:AdYolo",
                        'boxes of a class "patch" that the small detector fcos.tiny has learned besides', "localiser",
                        "Ji et al., Adversarial YOLO, 2021", "2103.08860", "1F",
                        aware="penalty on the probability of the class", trained=True, needs="the model fcos.tiny"),
        PatchDefenseRow("frame", f"{_HERE}.learned.frame:Frame",
                        "a border of 5 % that was learned in competition with patches", "filter",
                        "Yu et al., Universal Defensive Frame, 2022", "2204.13004", trained=True,
                        needs="the model fcos.tiny, or weights"),
        PatchDefenseRow("depurator", f"{_HERE}.switches.depurator:Depurator",
                        "depth is dropped where maps with it and of it alone are far apart", "switch",
                        "Fan et al., D3Net, 2021", "1907.06781", "2F",
                        aware="soft switch, penalty on the distance", needs="a model"),
        PatchDefenseRow("pair-head", f"{_HERE}.switches.pair_head:PairHead",
                        "the input is dropped that heads of an alignment training accuse", "switch",
                        "after Shao et al., HAMMER, 2023", "2304.02556", "1F",
                        aware="soft switch, penalty on the accusation",
                        needs="a model trained with --manipulation, clean images"),
        PatchDefenseRow("nutnet", f"{_HERE}.learned.nutnet:NutNet",
                        "pixels that an autoencoder of clean blocks draws badly", "localiser",
                        "Lin et al., I Don't Know You, But I Can Catch You, 2024", "2406.10285", "1u",
                        aware="soft thresholds, penalty on both errors", trained=True),
        PatchDefenseRow("cross-gate", f"{_HERE}.cross.gate:CrossGate",
                        "windows in which the maps from RGB and from depth disagree", "localiser",
                        "after Fan et al., D3Net, 2019", "1907.06781", "3F",
                        aware="attack all three maps, penalty on their distance", needs="a model, clean images"),
        PatchDefenseRow("cross-influence", f"{_HERE}.cross.influence:CrossInfluence",
                        "windows of one modality that act on the map elsewhere, and which modality", "localiser",
                        passes="1F + 98F", aware="penalty on the influence", needs="a model, clean images"),
        PatchDefenseRow("cross-translation", f"{_HERE}.cross.translation:CrossTranslation",
                        "depth that a small network does not expect of RGB", "localiser", passes="1u",
                        aware="exact gradient, penalty on the surprise under the patch", trained=True,
                        needs="clean images"),
        PatchDefenseRow("cross-surface", f"{_HERE}.cross.surface:CrossSurface",
                        "depth rougher than the sensor's noise, or flatter than what is drawn on it", "localiser",
                        aware="the sensor's noise on the card", needs="clean images"),
        PatchDefenseRow("cross-outline", f"{_HERE}.cross.outline:CrossOutline",
                        "closed square outlines, in RGB, in depth or in both", "localiser",
                        aware="penalty on the outline", needs="clean images"),
        PatchDefenseRow("cross", f"{_HERE}.cross.verdict:Cross",
                        "a regression on five cross-modal maps and four baselines; fills the accused modality",
                        "localiser", passes="4F + 98F + 2u", aware="penalty on the log-odds", trained=True,
                        needs="a model, clean images"),
        PatchDefenseRow("energy", f"{_HERE}.baselines:Energy",
                        "windows of strong edges: finds stickers as well as attacks", "localiser",
                        aware="soft threshold, penalty on the edges"),
        PatchDefenseRow("entropy", f"{_HERE}.baselines:Entropy",
                        "windows of high entropy: finds stickers as well as attacks", "localiser",
                        aware="soft histogram, penalty on the entropy"),
    ],
)  # fmt: skip
"""All defences against patches, by name."""


def patch_defense(name: str, settings: Mapping[str, Any] | None = None, /, **more: Any) -> "Defence":
    """A defence with its settings; imports torch.

    Args:
        name: of a row in `PATCH_DEFENSES`.
        settings: by name; what is not named has its paper's default.
        more: further ones, which win.

    Raises:
        UsageError: no such defence or setting, or a value that a setting cannot have.

    Example:
        >>> from rgbdsod.defenses import patch_defense
        >>> patch_defense("lgs", threshold=0.2).smoothing
        2.3
    """
    kind = PATCH_DEFENSES[name].load()
    given = {**(settings or {}), **more}
    known = [field.name for field in fields(kind) if field.init]
    if unknown := [key for key in given if key not in known]:
        raise UsageError(f'defence {name} has no setting "{unknown[0]}"; its settings are {", ".join(known)}')
    return kind(**given)
