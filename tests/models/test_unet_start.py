"""A network that fuses starts from trained networks of one input."""

import pytest
import torch

from rgbdsod.errors import UsageError
from rgbdsod.models.unet import Unet
from rgbdsod.models.unet_start import start_from
from rgbdsod.models.unet_streams import unet_small

SIZES = {"channels": (8, 8, 16, 16), "stem_width": 4, "decoder": (16, 16, 8, 8, 4)}


def made(fusion: str, seed: int = 0) -> Unet:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return unet_small(fusion, **SIZES).eval()  # type: ignore[arg-type]


def some_inputs() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(2, 3, 64, 32, generator=generator), torch.rand(2, 1, 64, 32, generator=generator)


@torch.no_grad()
def test_zero_filters_start_exactly_as_the_rgb_network() -> None:
    rgb, depth = some_inputs()
    reference = made("rgb", 1)
    network = made("early4")
    start_from(network, reference, init_extra="zero")
    expected = reference(rgb)["final"]
    torch.testing.assert_close(network(rgb, depth)["final"], expected, rtol=0, atol=1e-6)
    torch.testing.assert_close(network(rgb, depth * 0)["final"], expected, rtol=0, atol=1e-6)
    start_from(network, reference)
    assert not torch.allclose(network(rgb, depth)["final"], expected)


@torch.no_grad()
def test_two_streams_take_both_encoders() -> None:
    inputs = some_inputs()
    references = {"rgb": made("rgb", 1), "depth": made("depth", 2)}
    for fusion in ("multi", "late"):
        network = made(fusion)
        start_from(network, references["rgb"], references["depth"])
        for name, x in zip(references, inputs, strict=True):
            found, expected = network.encode(name, x)[-1], references[name].encode(name, x)[-1]
            torch.testing.assert_close(found, expected)


@torch.no_grad()
def test_decision_is_the_mean_of_the_two_references() -> None:
    rgb, depth = some_inputs()
    first, second, network = made("rgb", 1), made("depth", 2), made("decision")
    start_from(network, first, second)
    expected = (first(rgb)["final"] + second(depth)["final"]) / 2
    torch.testing.assert_close(network(rgb, depth)["final"], expected)


@torch.no_grad()
def test_one_channel_computes_what_three_equal_ones_do() -> None:
    from rgbdsod.fusion import FusionSpec
    from rgbdsod.models.unet_streams import build_unet

    _, depth = some_inputs()
    network = build_unet(FusionSpec((5,), op="sum", encoder="tu-resnet10t"), **SIZES).eval()  # type: ignore[arg-type]
    reference = made("rgb", 1)
    start_from(network, reference)
    expected = reference.encode("rgb", depth.expand(-1, 3, -1, -1))[-1]
    torch.testing.assert_close(network.encode("depth", depth)[-1], expected, rtol=1e-4, atol=1e-5)


def test_other_encoders_are_refused() -> None:
    with torch.device("meta"):
        other = unet_small("rgb", "tu-resnet14t", **SIZES)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="rgb has encoder tu-resnet14t, the network tu-resnet10t; train both on one"):
        start_from(made("multi"), other)
