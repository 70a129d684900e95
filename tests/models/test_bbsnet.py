"""BBS-Net: the published configuration equals the official network, the small one is light and trains."""

from pathlib import Path

import pytest
import torch
from models_official_golden import gradient_deviations, load_fill, official_names, output_deviations, own_names
from torch.utils.flop_counter import FlopCounterMode

from rgbdsod.errors import UsageError
from rgbdsod.models.bbsnet import BBSNet, bbsnet_paper, bbsnet_small
from rgbdsod.models.losses import bbsnet_loss
from rgbdsod.types import StagedNetwork


@pytest.fixture(scope="module")
def paper(shared: Path) -> BBSNet:
    return load_fill(shared).fill(bbsnet_paper())


@pytest.fixture
def small() -> BBSNet:
    torch.manual_seed(0)
    return bbsnet_small()


def some_inputs(batch: int = 2, height: int = 64, width: int = 32) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    rgb = torch.randn(batch, 3, height, width, generator=generator)
    return rgb, torch.rand(batch, 1, height, width, generator=generator)


def test_names_shapes_and_types_are_official(shared: Path, paper: BBSNet) -> None:
    assert own_names(paper) == official_names(shared, "bbsnet")


def test_outputs_and_gradients_are_official(shared: Path, paper: BBSNet) -> None:
    outputs = output_deviations(shared, "bbsnet.96x128", paper)
    gradients = gradient_deviations(shared, "bbsnet.96x128", paper)
    assert set(outputs) == {"final", "initial"} and len(gradients) == 4
    assert max(outputs.values()) < 1e-3
    assert max(gradients.values()) < 0.02


@pytest.mark.slow
def test_outputs_and_gradients_are_official_at_full_size(shared: Path, paper: BBSNet) -> None:
    assert max(output_deviations(shared, "bbsnet.352x352", paper).values()) < 1e-3
    assert max(gradient_deviations(shared, "bbsnet.352x352", paper).values()) < 0.02


def test_only_the_two_published_spare_heads_get_no_gradient(paper: BBSNet) -> None:
    outputs = paper(*some_inputs(1, 32, 32))
    names, parameters = zip(*paper.named_parameters(), strict=True)
    gradients = torch.autograd.grad(outputs["final"].sum(), parameters, allow_unused=True)
    without = {name for name, gradient in zip(names, gradients, strict=True) if gradient is None}
    assert without == {f"out{i}_conv.{kind}" for i in (0, 1) for kind in ("weight", "bias")}


def test_every_weight_of_the_small_network_is_trained(small: BBSNet) -> None:
    outputs = small(*some_inputs())
    assert {name: value.shape for name, value in outputs.items()} == {
        "initial": (2, 1, 64, 32),
        "final": (2, 1, 64, 32),
    }
    bbsnet_loss(outputs, torch.ones(2, 1, 64, 32)).sum().backward()
    assert [name for name, p in small.named_parameters() if p.grad is None] == []


def test_the_small_network_learns_one_image(small: BBSNet) -> None:
    rgb, depth = some_inputs()
    mask = torch.zeros(2, 1, 64, 32)
    mask[:, :, 16:48, 8:20] = 1
    optimiser = torch.optim.AdamW(small.parameters(), lr=5e-3)
    losses = []
    for _ in range(8):
        loss = bbsnet_loss(small(rgb, depth), mask).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.6 * losses[0]


def test_the_small_network_is_light(small: BBSNet) -> None:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        small.eval()(*some_inputs(1, 128, 128))
    assert counter.get_total_flops() / 2 <= 0.12e9
    assert sum(p.numel() for p in small.parameters()) <= 1.6e6


def test_a_kept_stream_gives_the_full_result(small: BBSNet) -> None:
    assert isinstance(small, StagedNetwork)
    rgb, depth = some_inputs()
    small.eval()
    with torch.no_grad():
        kept = {"rgb": small.encode("rgb", rgb), "depth": small.encode("depth", depth)}
        for _ in range(2):  # the second time shows that fusing does not change what is kept
            partial = small.fuse(kept)
            for name, value in small(rgb, depth).items():
                torch.testing.assert_close(partial[name], value, rtol=0, atol=1e-6)
        other = small.fuse({**kept, "rgb": small.encode("rgb", rgb.flip(-1))})
        torch.testing.assert_close(other["final"], small(rgb.flip(-1), depth)["final"], rtol=0, atol=1e-6)


def test_a_sample_does_not_depend_on_its_neighbours(small: BBSNet) -> None:
    rgb, depth = some_inputs(3)
    small.eval()
    with torch.no_grad():
        together, alone = small(rgb, depth)["final"][1:2], small(rgb[1:2], depth[1:2])["final"]
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["rgb", "depth"])
def test_a_wrong_size_is_refused(small: BBSNet, name: str) -> None:
    with pytest.raises(UsageError, match=r"BBS-Net .* multiples of 32, but got 61x96; resize to 64x96, or pad 3 rows"):
        small.encode(name, torch.zeros(1, 3 if name == "rgb" else 1, 61, 96))


def test_another_encoder_can_be_named() -> None:
    network = bbsnet_small("resnet18", channels=(8, 8, 16, 16), width=4).eval()
    with torch.no_grad():
        assert network(*some_inputs(1))["final"].shape == (1, 1, 64, 32)
