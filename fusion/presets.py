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
"""All names that `named_spec` knows, without the operators that may follow."""

_AND_SO = "each also as A:, B: or C: (protocols), and with an operator where two maps meet (multi+gate)"


def is_design(name: str) -> bool:
    """Whether a name begins as those of `named_spec` do; its operator may still be none."""
    return name.partition("+")[0] in FUSIONS


def known_designs() -> str:
    """The names that `named_spec` knows, in words."""
    return f"{', '.join(PRESETS)}, {_AND_SO}"


def named_spec(name: str, encoder: str = "resnet18") -> FusionSpec:
    """A preset, under one of the three protocols, with an operator of its own or another.

    Args:
        name: a preset, or "A:mid", "B:mid", "C:mid" for the preset under a protocol. A holds the parameters equal
            (one siamese encoder), B the capacity (a deeper encoder where there is one stream), C the encoder, as a
            preset without a letter does. "multi+gate", "A:mid+concat": with that operator of `OPERATORS` at all of
            its levels.
        encoder: name of the encoder; of the two-stream designs, in protocol B.

    Raises:
        UsageError: no such name, an operator that does not exist or not at these levels, or protocol B with another
            encoder than resnet18.

    Example:
        >>> from rgbdsod.fusion import named_spec
        >>> named_spec("A:late").siamese, named_spec("B:early4").encoder
        (True, 'resnet34')
        >>> named_spec("multi+gate").op
        'gate'
    """
    if not is_design(name):
        close = get_close_matches(name.partition("+")[0], FUSIONS, n=1)
        hint = f'did you mean "{close[0]}"? There' if close else "there"
        raise UsageError(f'no fusion "{name}"; {hint} are {known_designs()}')
    placed, plus, operator = name.partition("+")
    letter, _, preset = placed.rpartition(":")
    spec = replace(PRESETS[preset], encoder=encoder)
    if plus:
        spec = _with_operator(spec, placed, operator)
    one_stream = spec.kind in ("single", "early")
    if letter == "A" and not one_stream:
        return replace(spec, siamese=True)
    if letter == "B":
        if encoder != "resnet18":
            raise UsageError(f'protocol B compares resnet18 with resnet34; got encoder "{encoder}"; use A: or C:')
        return replace(spec, encoder="resnet34") if one_stream else spec
    return spec


def _with_operator(spec: FusionSpec, name: str, operator: str) -> FusionSpec:
    """The design with another operator; one in which no two maps meet has none."""
    if spec.kind in ("single", "early"):
        raise UsageError(f'in fusion "{name}" no two maps meet, so it takes no operator; leave out "+{operator}"')
    return replace(spec, op=operator)
