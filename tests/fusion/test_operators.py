"""Operators: shape, what they compute, gradients to both inputs, and which samples they look at."""

import pytest
import torch

from rgbdsod.errors import UsageError
from rgbdsod.fusion import OPERATORS, fusion_operator

EVERY = pytest.mark.parametrize("name", OPERATORS.names())


def some_maps(width: int = 16, height: int = 5, length: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    rgb, depth = torch.randn(2, 3, width, height, length, generator=generator)
    return rgb.requires_grad_(), depth.requires_grad_()


def made(name: str, width: int = 16) -> torch.nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return fusion_operator(name, width)


@EVERY
def test_shape_gradients_and_samples_apart(name: str) -> None:
    operator, (rgb, depth) = made(name), some_maps()
    fused = operator(rgb, depth)
    assert fused.shape == rgb.shape
    by_rgb, by_depth = torch.autograd.grad(fused[1].square().sum(), (rgb, depth))
    for gradient in (by_rgb, by_depth):
        assert gradient[1].abs().sum() > 0
        assert gradient[[0, 2]].abs().sum() == 0
    torch.testing.assert_close(operator(rgb[1:2], depth[1:2]), fused[1:2], rtol=0, atol=1e-5)


@EVERY
def test_every_weight_is_trained(name: str) -> None:
    operator, (rgb, depth) = made(name), some_maps()
    weights = list(operator.parameters())
    if weights:
        gradients = torch.autograd.grad(operator(rgb, depth).square().sum(), weights, allow_unused=True)
        assert all(gradient is not None for gradient in gradients)


def test_pointwise_operators_equal_their_formulas() -> None:
    rgb, depth = (x.detach() for x in some_maps(2, 1, 1))
    gate = made("gate", 2)
    with torch.no_grad():
        both = torch.cat([rgb, depth], dim=1)
        share = torch.sigmoid(torch.einsum("oc,bchw->bohw", gate.decide.weight[:, :, 0, 0], both) +
                              gate.decide.bias[:, None, None])  # fmt: skip
        torch.testing.assert_close(gate(rgb, depth), share * rgb + (1 - share) * depth)
        torch.testing.assert_close(made("sum", 2)(rgb, depth), rgb + depth)
        torch.testing.assert_close(made("mean", 2)(rgb, depth), (rgb + depth) / 2)
        torch.testing.assert_close(made("weighted", 2)(rgb, depth), rgb + depth)


def test_attention_leaves_rgb_as_it_is() -> None:
    rgb, depth = some_maps()
    for name in ("attention", "cross"):
        (by_rgb,) = torch.autograd.grad(made(name)(rgb, depth * 0).sum(), rgb)
        if name == "attention":
            torch.testing.assert_close(by_rgb, torch.ones_like(rgb))


@pytest.mark.parametrize("name", ["cross", "experts", "queries"])
def test_places_matter_to_attention(name: str) -> None:
    operator, (rgb, depth) = made(name), some_maps()
    moved = depth.roll(1, dims=2)
    assert not torch.allclose(operator(rgb, depth), operator(rgb, moved), atol=1e-6)


def test_experts_are_one_per_modality() -> None:
    operator, (rgb, depth) = made("experts"), some_maps()
    before = operator(rgb, depth)
    with torch.no_grad():
        for parameter in operator.depth_expert.parameters():
            parameter.zero_()
    assert not torch.allclose(before, operator(rgb, depth))


def test_a_bottleneck_saves_parameters() -> None:
    def count(**options: int) -> int:
        return sum(p.numel() for p in fusion_operator("concat", 512, **options).parameters())

    assert count() == 2 * 512 * 512
    assert count(bottleneck=64) == (2 * 512 + 1) * 64 + (64 + 1) * 512


def test_an_unknown_operator_lists_what_exists() -> None:
    with pytest.raises(UsageError, match=r'no fusion operator "add"; there are attention, concat, cross, .*, weighted'):
        fusion_operator("add", 8)
