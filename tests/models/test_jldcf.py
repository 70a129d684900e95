"""JL-DCF: the published variants equal the official networks, the halves are independent, the small one is light."""

from pathlib import Path

import numpy as np
import pytest
import torch
from models_official_golden import load_fill, official_names, own_names
from torch.utils.flop_counter import FlopCounterMode

from rgbdsod.errors import UsageError
from rgbdsod.models.jldcf import JLDCF, jldcf_paper, jldcf_small
from rgbdsod.models.losses import jldcf_loss
from rgbdsod.types import StagedNetwork

VARIANTS = ("resnet101", "resnet50", "vgg16", "densenet161")


@pytest.fixture(scope="module", params=VARIANTS)
def paper(request: pytest.FixtureRequest, shared: Path) -> tuple[str, JLDCF]:
    return request.param, load_fill(shared).fill(jldcf_paper(request.param))


@pytest.fixture(scope="module")
def small() -> JLDCF:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return jldcf_small()


def some_inputs(batch: int = 2, height: int = 48, width: int = 32) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    rgb, depth = torch.randn(2, batch, 3, height, width, generator=generator)
    return rgb, depth


def check_golden(shared: Path, variant: str, size: str, network: JLDCF) -> None:
    golden = np.load(shared / "golden" / f"jldcf.{variant}.{size}.npz")
    height, width = (int(side) for side in golden["size"])
    rgb, depth = load_fill(shared).inputs(int(golden["seed"]), height, width, depth_channels=3)
    outputs = network(rgb.requires_grad_(), depth.requires_grad_())
    for name in ("final", "coarse"):
        expected = golden[name]
        assert outputs[name].shape == expected.shape
        assert np.abs(outputs[name].detach().numpy() - expected).max() < 1e-3 * expected.std()
    for name, gradient in zip(
        ("rgb", "depth"), torch.autograd.grad(outputs["final"].mean(), (rgb, depth)), strict=True
    ):
        expected = golden[f"grad_{name}"].astype(np.float64) * float(golden[f"grad_{name}_scale"])
        assert np.linalg.norm(expected) > 0
        assert np.linalg.norm(gradient.numpy() - expected) < 0.02 * np.linalg.norm(expected)


def test_names_shapes_and_types_are_official(shared: Path, paper: tuple[str, JLDCF]) -> None:
    variant, network = paper
    assert own_names(network) == official_names(shared, f"jldcf.{variant}")


def test_outputs_and_gradients_are_official(shared: Path, paper: tuple[str, JLDCF]) -> None:
    variant, network = paper
    check_golden(shared, variant, "96x128", network)


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["resnet101", "vgg16"])
def test_outputs_and_gradients_are_official_at_full_size(shared: Path, variant: str) -> None:
    check_golden(shared, variant, "320x320", load_fill(shared).fill(jldcf_paper(variant)))


def test_a_batch_equals_single_images_and_halves_apart_equal_stacked(shared: Path) -> None:
    network = load_fill(shared).fill(jldcf_small())
    rgb, depth = load_fill(shared).inputs(1, 32, 48, batch=3, depth_channels=3)
    with torch.no_grad():
        stacked = network(rgb, depth)
        apart = network.fuse({"rgb": network.encode("rgb", rgb), "depth": network.encode("depth", depth)})
        single = [network(rgb[i : i + 1], depth[i : i + 1]) for i in range(3)]
    scale = float(stacked["final"].std())
    assert torch.allclose(stacked["final"], apart["final"], atol=1e-4 * scale)
    assert torch.allclose(stacked["coarse"], apart["coarse"], atol=1e-4 * float(stacked["coarse"].std()))
    assert torch.allclose(stacked["final"], torch.cat([s["final"] for s in single]), atol=1e-4 * scale)
    for i, one in enumerate(single):
        both = stacked["coarse"][[i, i + 3]]
        assert torch.allclose(one["coarse"], both, atol=1e-4 * float(both.std()))


def test_what_is_encoded_depends_on_one_input_alone(small: JLDCF) -> None:
    network = small.eval()
    rgb, depth = some_inputs()
    assert isinstance(network, StagedNetwork)
    features = {"rgb": network.encode("rgb", rgb), "depth": network.encode("depth", depth)}
    assert [level.shape[-1] for level in features["rgb"]["levels"]] == [32, 16, 8, 4, 2, 2]
    assert all(len(features[name]["levels"]) == 6 for name in network.inputs)
    with torch.no_grad():
        assert torch.allclose(network.fuse(features)["final"], network(rgb, depth)["final"], atol=1e-5)


def test_coarse_has_the_rgb_half_first(small: JLDCF) -> None:
    network = small.eval()
    rgb, depth = some_inputs()
    with torch.no_grad():
        outputs, rgb_alone = network(rgb, depth), network.encode("rgb", rgb)["coarse"]
    assert outputs["final"].shape == (2, 1, 48, 32)
    assert outputs["coarse"].shape == (4, 1, 3, 2)
    assert torch.allclose(outputs["coarse"][:2], rgb_alone, atol=1e-5)


def test_sizes_must_be_multiples_of_16(small: JLDCF) -> None:
    with pytest.raises(UsageError, match="multiples of 16, but got 40x32"):
        small(*some_inputs(1, 40, 32))


def test_the_small_network_is_light() -> None:
    network = jldcf_small().eval()
    assert sum(p.numel() for p in network.parameters()) <= 1.6e6
    rgb, depth = some_inputs(1, 128, 128)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(rgb, depth)
    assert counter.get_total_flops() / 2 <= 0.25e9


def test_every_weight_of_the_small_network_is_trained() -> None:
    network = jldcf_small().train()
    mask = torch.zeros(2, 1, 32, 32)
    mask[..., 8:24, 8:24] = 1
    loss = jldcf_loss(network(*some_inputs(2, 32, 32)), mask).sum()
    gradients = torch.autograd.grad(loss, list(network.parameters()), allow_unused=True)
    assert [n for (n, _), g in zip(network.named_parameters(), gradients, strict=True) if g is None] == []
