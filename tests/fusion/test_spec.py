"""Designs as data: what they are, which presets there are, and what is refused."""

import subprocess
import sys
from dataclasses import replace

import pytest

from rgbdsod.errors import UsageError
from rgbdsod.fusion import FUSIONS, PRESETS, FusionSpec, named_spec
from rgbdsod.fusion.presets import is_design


def test_designs_load_no_torch() -> None:
    code = "import sys; from rgbdsod.fusion import PRESETS, OPERATORS; list(OPERATORS); print('torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"


def test_presets_are_the_taxonomy() -> None:
    kinds = {name: spec.kind for name, spec in PRESETS.items()}
    assert kinds == {
        "rgb": "single", "depth": "single", "early4": "early", "early6": "early", "mid": "feature", "late": "feature",
        "multi": "multistage", "multi_all": "multistage", "decision": "decision",
    }  # fmt: skip
    assert (PRESETS["early4"].depth_channels, PRESETS["early6"].depth_channels) == (1, 3)
    assert PRESETS["early6"].inputs == ("rgb", "hha")
    assert (PRESETS["rgb"].inputs, PRESETS["depth"].inputs) == (("rgb",), ("depth",))


@pytest.mark.parametrize("name", FUSIONS)
def test_every_name_is_a_design(name: str) -> None:
    assert isinstance(named_spec(name), FusionSpec)


def test_protocols() -> None:
    assert named_spec("A:mid") == replace(PRESETS["mid"], siamese=True)
    assert named_spec("A:early4") == PRESETS["early4"]
    assert (named_spec("B:rgb").encoder, named_spec("B:early4").encoder) == ("resnet34", "resnet34")
    assert named_spec("B:multi") == PRESETS["multi"]
    assert named_spec("C:late", "resnet50") == named_spec("late", "resnet50")
    with pytest.raises(UsageError, match="protocol B compares resnet18 with resnet34"):
        named_spec("B:mid", "resnet50")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"levels": (7,)}, r"no level 7; there are 0 \(the input\), 1 to 5 .* and 6 \(the maps\)"),
        ({"levels": ()}, "no levels; pass some of 0 to 6, or only="),
        ({"levels": (4, 2)}, "name each once, in rising order"),
        ({"levels": (0, 3)}, "stand alone"),
        ({"op": "add"}, 'no fusion operator "add"; there are attention, concat, cross'),
        ({"op": "cross"}, 'the operator "cross" works at levels 4, 5, but got level 2'),
        ({"levels": (0,), "op": "gate"}, 'inputs are always concatenated, so op="gate" has no effect'),
        ({"flow": "both"}, 'no flow "both"; there are skip, stream'),
        ({"depth": "rgb"}, 'no depth "rgb"; there are d, d3, hha'),
        ({"levels": (0,), "siamese": True}, "siamese=True needs two streams"),
        ({"own_norms": True}, "own_norms=True is for a siamese encoder"),
        ({"levels": (6,), "op": "mean", "flow": "stream"}, 'flow="stream" needs two encoders'),
        ({"flow": "stream", "symmetric": True}, "symmetric=True needs two encoders that stay separate"),
        ({"op": "sum", "bottleneck": 8}, 'bottleneck=8 is for op="concat"'),
        ({"only": "rgb"}, 'only="rgb" has nothing to fuse'),
        ({"levels": (), "only": "hha"}, 'no reference "hha"; there are rgb, depth'),
    ],
)
def test_what_does_not_exist_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        FusionSpec(**options)


@pytest.mark.parametrize(
    ("name", "preset", "op"),
    [("multi+gate", "multi", "gate"), ("late+cross", "late", "cross"), ("A:mid+concat", "A:mid", "concat"),
     ("decision+weighted", "decision", "weighted"), ("B:multi_all+attention", "multi_all", "attention")],
)  # fmt: skip
def test_an_operator_by_name(name: str, preset: str, op: str) -> None:
    assert named_spec(name) == replace(named_spec(preset), op=op)
    assert is_design(name) and name not in FUSIONS


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("multi+add", 'no fusion operator "add"; there are attention, concat, cross'),
        ("multi+", 'no fusion operator ""; there are attention, concat, cross'),
        ("multi+gate+sum", 'no fusion operator "gate\\+sum"; there are attention'),
        ("multi+cross", 'the operator "cross" works at levels 4, 5, but got level 2'),
        ("decision+attention", 'the operator "attention" works at levels 1, 2, 3, 4, 5, but got level 6'),
        ("mult+gate", r'no fusion "mult\+gate"; did you mean "multi"\? There are rgb, depth'),
        ("rgb+concat", r'in fusion "rgb" no two maps meet, so it takes no operator; leave out "\+concat"'),
        ("A:depth+sum", 'in fusion "A:depth" no two maps meet'),
        ("early4+concat", 'in fusion "early4" no two maps meet'),
        ("B:early6+gate", 'in fusion "B:early6" no two maps meet'),
    ],
)  # fmt: skip
def test_operators_that_are_not_possible_are_refused(name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        named_spec(name)


def test_unknown_names_get_a_hint() -> None:
    with pytest.raises(UsageError, match=r'no fusion "middle".* rgb, depth, early4, .*, decision, each also as A:'):
        named_spec("middle")
