"""Fusion designs by name, and what is held equal when they are compared. No torch here."""

from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches

from rgbdsod.errors import UsageError
from rgbdsod.fusion.spec import ENCODER_LEVELS, INPUT, MAPS, FusionSpec

PRESETS: Mapping[str, FusionSpec] = {
    "rgb": FusionSpec(levels=(), only="rgb"),
    "depth": FusionSpec(levels=(), depth="d3", only="depth"),
    "early4": FusionSpec(levels=(INPUT,)),
    "early6": FusionSpec(levels=(INPUT,), depth="hha"),
    "mid": FusionSpec(levels=(3,), op="sum", depth="d3"),
    "late": FusionSpec(levels=(5,), op="sum", depth="d3"),
    "multi": FusionSpec(levels=(2, 4, 5), op="sum", depth="d3"),
    "multi_all": FusionSpec(levels=ENCODER_LEVELS, op="sum", depth="d3"),
    "decision": FusionSpec(levels=(MAPS,), op="mean", depth="d3"),
}
"""The designs of the ablation by name, and the two references without which no table of them is complete."""

PROTOCOLS: Mapping[str, str] = {"A": "equal parameters", "B": "equal capacity", "C": "equal encoder"}
"""What is held equal between designs, by the letter that results carry."""

FUSIONS: tuple[str, ...] = (*PRESETS, *(f"{letter}:{name}" for letter in PROTOCOLS for name in PRESETS))
"""All names that `named_spec` knows."""


def named_spec(name: str, encoder: str = "resnet18") -> FusionSpec:
    """A preset, under one of the three protocols.

    Args:
        name: a preset, or "A:mid", "B:mid", "C:mid" for the preset under a protocol. A holds the parameters equal
            (one siamese encoder), B the capacity (a deeper encoder where there is one stream), C the encoder, as a
            preset without a letter does.
        encoder: name of the encoder; of the two-stream designs, in protocol B.

    Raises:
        UsageError: no such name, or protocol B with another encoder than resnet18.

    Example:
        >>> from rgbdsod.fusion import named_spec
        >>> named_spec("A:late").siamese, named_spec("B:early4").encoder
        (True, 'resnet34')
    """
    if name not in FUSIONS:
        close = get_close_matches(name, FUSIONS, n=1)
        hint = f'did you mean "{close[0]}"? There' if close else "there"
        raise UsageError(f'no fusion "{name}"; {hint} are {", ".join(PRESETS)}, each also as A:, B: or C: (protocols)')
    letter, _, preset = name.rpartition(":")
    spec = replace(PRESETS[preset], encoder=encoder)
    one_stream = spec.kind in ("single", "early")
    if letter == "A" and not one_stream:
        return replace(spec, siamese=True)
    if letter == "B":
        if encoder != "resnet18":
            raise UsageError(f'protocol B compares resnet18 with resnet34; got encoder "{encoder}"; use A: or C:')
        return replace(spec, encoder="resnet34") if one_stream else spec
    return spec
