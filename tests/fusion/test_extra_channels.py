"""What the filters of further input channels begin as."""

import pytest
import timm
import torch
from timm.models import adapt_input_conv
from torch import nn

from rgbdsod.errors import UsageError
from rgbdsod.fusion import widen


def network() -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(4, 1, 1))


def widened(extra: int, **options: object) -> tuple[torch.Tensor, nn.Sequential]:
    wide = network()
    widen(wide, extra, **options)  # type: ignore[arg-type]
    return network()[0].weight.detach(), wide


@pytest.mark.parametrize("extra", [1, 3])
def test_mean_leaves_rgb_and_gives_depth_the_mean(extra: int) -> None:
    rgb, wide = widened(extra)
    assert torch.equal(wide[0].weight[:, :3], rgb)
    assert torch.equal(wide[0].weight[:, 3:], rgb.mean(1, keepdim=True).expand(-1, extra, -1, -1))
    assert torch.equal(widened(extra, gain=0.5)[1][0].weight[:, 3:], wide[0].weight[:, 3:] * 0.5)


def test_zero_starts_as_the_rgb_network_for_any_depth() -> None:
    _, wide = widened(1, init_extra="zero")
    rgb, depth = torch.rand(2, 3, 8, 8), torch.rand(2, 1, 8, 8)
    with torch.no_grad():
        assert torch.allclose(wide(torch.cat([rgb, depth], 1)), network()(rgb), atol=1e-6)


def test_copy_is_for_hha() -> None:
    rgb, wide = widened(3, init_extra="copy")
    assert torch.equal(wide[0].weight, torch.cat([rgb, rgb / 2], dim=1))
    with pytest.raises(UsageError, match='init_extra="copy" is for 3 more channels'):
        widened(1, init_extra="copy")


@pytest.mark.parametrize("extra", [1, 3])
def test_cyclic_is_what_timm_does(extra: int) -> None:
    rgb, wide = widened(extra, init_extra="cyclic")
    torch.testing.assert_close(wide[0].weight.detach(), adapt_input_conv(3 + extra, rgb))


def test_the_first_convolution_is_found_in_any_network() -> None:
    model = timm.create_model("resnet10t", pretrained=False)
    widen(model, 1)
    assert model(torch.rand(1, 4, 64, 64)).shape == (1, 1000)


def test_what_cannot_be_widened() -> None:
    with pytest.raises(UsageError, match='no init_extra "median"; there are mean, zero, copy, cyclic'):
        widened(1, init_extra="median")
    with pytest.raises(UsageError, match="Linear does not begin with a convolution of three channels"):
        widen(nn.Linear(3, 3), 1)
