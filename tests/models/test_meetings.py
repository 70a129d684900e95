"""Where streams meet: names, shapes, and that naming them changed neither weights nor outputs."""

import pytest
import torch

from rgbdsod.fusion.spec import FusionSpec
from rgbdsod.models import build_unet, load_model
from rgbdsod.models.meetings import hooked, meetings_of, stage_names, stage_shapes, watched
from rgbdsod.models.zoo import built_network, row_of

PLACES = {
    ("bbsnet", "multistage"): ["0", "1", "2", "3_1", "4_1"],
    ("bbsnet", "feature"): ["2"],
    ("bbsnet", "early"): [],
    ("jldcf", "multistage"): ["1", "2", "3", "4", "5", "6"],
    ("jldcf", "feature"): ["4"],
    ("jldcf", "early"): [],
    ("d3net", "multistage"): ["1", "2", "3", "4", "5", "switch"],
    ("d3net", "feature"): ["3", "switch"],
    ("d3net", "early"): ["rgbdnet", "switch"],
    ("unet.small", "multi"): ["2", "4", "5"],
    ("unet.small", "mid"): ["3"],
    ("unet.small", "A:late"): ["5"],
    ("unet.small", "decision"): ["map"],
    ("unet.small", "early4"): [],
    ("unet.small", "early6"): [],
    ("unet.small", "rgb"): [],
    ("bbsnet", "rgb"): [],
    ("d3net", "depth"): [],
}
EACH = pytest.mark.parametrize(("name", "fusion"), list(PLACES))


@EACH
def test_stages_have_names_and_shapes(name: str, fusion: str) -> None:
    row = row_of(name, fusion, None)
    shapes = stage_shapes(row)
    assert list(shapes) == list(stage_names(row)) == ["input", *PLACES[name, fusion]]
    assert shapes["input"] == {key: (spec.channels, *row.size) for key, spec in row.inputs.items()}
    for stage, arriving in list(shapes.items())[1:]:
        rgb, depth = arriving["rgb"], arriving["depth"]
        assert rgb[1:] == depth[1:]
        assert stage == "rgbdnet" or rgb[0] == depth[0]


@EACH
def test_meetings_hold_no_weights_of_their_own(name: str, fusion: str) -> None:
    """But for the operators that were there before."""
    with torch.random.fork_rng():
        network = built_network(row_of(name, fusion, None))
    keys = [key for key in network.state_dict() if key.startswith(("sums.", "cross.", "beside.", "switch.", "means."))]
    assert keys == []


@pytest.mark.parametrize("name", ["bbsnet", "jldcf", "d3net"])
@torch.no_grad()
def test_every_place_is_met_once_a_pass(name: str) -> None:
    """Also where both inputs run through the encoder as one batch, and where one of them was encoded before."""
    model = load_model(name, device="cpu").at((64, 64))
    inputs = {"rgb": torch.rand(2, 3, 64, 64), "depth": torch.rand(2, 1, 64, 64)}
    seen: list[tuple[str, int, tuple[int, ...]]] = []
    with watched(model.network, lambda stage, at, x: seen.append((stage, at, tuple(x.shape)))):
        whole = model(**inputs)
    expected = [(stage, at) for stage in meetings_of(model.network) for at in (0, 1)]
    assert [(stage, at) for stage, at, _ in seen] == expected
    assert {shape[0] for _, _, shape in seen} == {2}
    first, seen[:] = list(seen), []
    with watched(model.network, lambda stage, at, x: seen.append((stage, at, tuple(x.shape)))):
        parts = model.fuse({key: model.encode(key, x) for key, x in inputs.items()}, (64, 64))
    assert seen == first
    torch.testing.assert_close(parts, whole, rtol=0, atol=1e-4)


def test_the_symmetric_net_meets_at_every_level() -> None:
    network = build_unet(
        FusionSpec((4,), symmetric=True, encoder="tu-resnet10t"), channels=(8, 8, 16, 16), stem_width=8
    )
    assert list(meetings_of(network)) == ["1", "2", "3", "4", "5"]


def test_hooks_are_gone_after_an_error() -> None:
    network = load_model("d3net", device="cpu").network
    module = meetings_of(network)["switch"]
    with pytest.raises(ZeroDivisionError), hooked(module, lambda at, x: x):
        assert len(module._forward_pre_hooks) == 1
        raise ZeroDivisionError
    with pytest.raises(ZeroDivisionError), watched(network, lambda stage, at, x: None):
        raise ZeroDivisionError
    assert all(not part._forward_pre_hooks for part in network.modules())


def test_a_network_that_names_none() -> None:
    assert meetings_of(torch.nn.Conv2d(3, 1, 1)) == {}
