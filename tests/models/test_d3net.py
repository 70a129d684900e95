"""D3Net: each published stream equals the official one, and the switch between them is hard but has a gradient."""

from pathlib import Path

import pytest
import torch
from models_official_golden import (
    gradient_deviations,
    load_fill,
    official_names,
    output_deviations,
    own_names,
    strengthen,
)
from torch.utils.flop_counter import FlopCounterMode

from rgbdsod.errors import UsageError
from rgbdsod.models.d3net import D3Net, d3net_paper, d3net_small
from rgbdsod.models.d3net_streams import Stream
from rgbdsod.models.losses import d3net_loss
from rgbdsod.types import StagedNetwork

STREAMS = ("rgbnet", "rgbdnet", "depthnet")


@pytest.fixture(scope="module")
def paper() -> D3Net:
    return d3net_paper()


@pytest.fixture(scope="module", params=STREAMS)
def stream(request: pytest.FixtureRequest, paper: D3Net) -> tuple[str, Stream]:
    return request.param, getattr(paper, request.param)


@pytest.fixture
def small() -> D3Net:
    torch.manual_seed(0)
    return d3net_small()


def some_inputs(batch: int = 2, height: int = 70, width: int = 101) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    rgb = torch.randn(batch, 3, height, width, generator=generator)
    return rgb, torch.rand(batch, 1, height, width, generator=generator)


def check_against(shared: Path, golden: str, network: Stream, outputs_within: float) -> None:
    assert max(output_deviations(shared, golden, network).values()) < outputs_within
    assert max(gradient_deviations(shared, golden, network).values()) < 0.02


def test_names_shapes_and_types_are_official(shared: Path, stream: tuple[str, Stream]) -> None:
    name, network = stream
    assert own_names(network) == official_names(shared, f"d3net.{name}")


def test_outputs_and_gradients_are_official(shared: Path, stream: tuple[str, Stream]) -> None:
    name, network = stream
    load_fill(shared).fill(network)
    check_against(shared, f"d3net.{name}.100x132", network, 3e-4)
    strengthen(network)
    check_against(shared, f"d3net.{name}.he.100x132", network, 1e-3)


@pytest.mark.slow
def test_outputs_and_gradients_are_official_at_full_size(shared: Path, stream: tuple[str, Stream]) -> None:
    name, network = stream
    load_fill(shared).fill(network)
    check_against(shared, f"d3net.{name}.224x224", network, 3e-4)


@pytest.mark.parametrize(("name", "blind"), [("rgbnet", "depth"), ("depthnet", "rgb")])
def test_a_stream_of_one_input_has_no_gradient_to_the_other(small: D3Net, name: str, blind: str) -> None:
    rgb, depth = (x.requires_grad_() for x in some_inputs())
    final = getattr(small, name)(rgb, depth)["final"]
    by_rgb, by_depth = torch.autograd.grad(final.sum(), (rgb, depth), allow_unused=True)
    unseen, seen = (by_rgb, by_depth) if blind == "rgb" else (by_depth, by_rgb)
    assert unseen is None
    assert seen.abs().sum() > 0


def test_all_outputs_have_the_size_of_the_inputs(small: D3Net) -> None:
    outputs = small(*some_inputs())
    assert outputs.pop("gate").shape == (2,)
    assert {tuple(value.shape) for value in outputs.values()} == {(2, 1, 70, 101)}
    for name in ("rgb", "rgbd", "depth"):
        torch.testing.assert_close(outputs[name], torch.sigmoid(outputs[f"{name}_logit"]))


@pytest.mark.parametrize("shift", [0.0, 20.0])
def test_the_choice_is_hard(small: D3Net, shift: float) -> None:
    """A DepthNet that sees nothing but object is far from RgbdNet, so depth is dropped."""
    small.eval()
    with torch.no_grad():
        for stream in (small.rgbnet, small.rgbdnet, small.depthnet):
            stream.pred_layer.outlayer[0].weight.mul_(0.01)
        small.depthnet.pred_layer.outlayer[0].bias.add_(shift)
        outputs = small(*some_inputs())
    assert ((outputs["gate"] < 0.15) == (shift == 0)).all()
    chosen = "rgb" if shift else "rgbd"
    assert torch.equal(outputs["logit"], outputs[f"{chosen}_logit"])
    assert torch.equal(outputs["final"], outputs[chosen])


def test_each_sample_has_its_own_choice(small: D3Net) -> None:
    small.eval()
    features = {name: small.encode(name, x) for name, x in zip(("rgb", "depth"), some_inputs(), strict=True)}
    features["depth"]["logit"] = small.rgbdnet(*some_inputs())["logit"].clone()
    features["depth"]["logit"][1] += 20
    outputs = small.fuse(features)
    assert torch.equal(outputs["logit"][0], outputs["rgbd_logit"][0])
    assert torch.equal(outputs["logit"][1], outputs["rgb_logit"][1])


def test_the_gradient_reaches_both_branches_and_the_gate(small: D3Net) -> None:
    """Near the threshold all three streams matter to the chosen map, whichever it is."""
    small.eval()
    rgb, depth = some_inputs()
    features = {"rgb": small.encode("rgb", rgb), "depth": small.encode("depth", depth)}
    with torch.no_grad():
        both = small.rgbdnet(rgb, depth)["final"]
    features["depth"]["logit"] = torch.logit((both - 0.149).clamp(1e-3, 1 - 1e-3)).requires_grad_()
    outputs = small.fuse(features)
    watched = [outputs["rgb_logit"], outputs["rgbd_logit"], features["depth"]["logit"]]
    for gradient in torch.autograd.grad(outputs["logit"].sum(), watched):
        assert (gradient.abs().amax(dim=(1, 2, 3)) > 0).all()


def test_kept_streams_give_the_full_result(small: D3Net) -> None:
    assert isinstance(small, StagedNetwork)
    rgb, depth = some_inputs()
    small.eval()
    with torch.no_grad():
        kept = {"rgb": small.encode("rgb", rgb), "depth": small.encode("depth", depth)}
        for _ in range(2):
            partial = small.fuse(kept)
            for name, value in small(rgb, depth).items():
                torch.testing.assert_close(partial[name], value, rtol=0, atol=1e-6)


def test_every_weight_of_the_small_network_is_trained(small: D3Net) -> None:
    rgb, depth = some_inputs()
    mask = torch.zeros(2, 1, 70, 101)
    mask[:, :, 16:48, 24:60] = 1
    optimiser = torch.optim.AdamW(small.parameters(), lr=5e-3)
    losses = []
    for _ in range(8):
        loss = d3net_loss(small(rgb, depth), mask).mean()
        optimiser.zero_grad()
        loss.backward()
        assert [name for name, p in small.named_parameters() if p.grad is None] == []
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


def test_the_small_network_is_light(small: D3Net) -> None:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        small.eval()(*some_inputs(1, 128, 128))
    assert counter.get_total_flops() / 2 <= 0.2e9
    assert sum(p.numel() for p in small.parameters()) <= 1.6e6


def test_the_published_network_takes_32_pixels_and_no_less(paper: D3Net) -> None:
    with torch.no_grad():
        assert paper(*some_inputs(1, 32, 33))["final"].shape == (1, 1, 32, 33)
        with pytest.raises(UsageError, match=r"D3Net .* at least 32, but got 31x40; resize to 32x42"):
            paper(*some_inputs(1, 31, 40))


def test_the_small_network_takes_64_pixels_and_no_less(small: D3Net) -> None:
    with torch.no_grad():
        assert small.eval()(*some_inputs(1, 64, 65))["final"].shape == (1, 1, 64, 65)
        with pytest.raises(UsageError, match=r"D3Net .* at least 64, but got 63x64"):
            small(*some_inputs(1, 63, 64))


def test_maps_are_those_of_the_depurator(small: D3Net) -> None:
    with torch.no_grad():
        outputs = small.eval()(*some_inputs())
    maps = small.predict_maps(outputs, (20, 30))
    assert maps.dtype == torch.uint8 and maps.shape == (2, 20, 30)
