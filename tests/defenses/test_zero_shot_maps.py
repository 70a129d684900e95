"""Attention maps and their distances: the Gram form is exact, and nothing divides by zero."""

import pytest
import torch
import torch.nn.functional as F

from rgbdsod.defenses import gradcam, image_distance, map_distance, text_attention, vision_attention
from rgbdsod.defenses.zero_shot.attention import minmax
from rgbdsod.defenses.zero_shot.resizing import resized
from rgbdsod.errors import UsageError


def maps(grid, seed=0, count=3):
    random = torch.Generator().manual_seed(seed)
    return minmax(torch.randn(count, grid[0] * grid[1], dtype=torch.float64, generator=random))


@pytest.mark.parametrize("distance", ["l2", "rms", "cos", "l1"])
@pytest.mark.parametrize(("grid", "side"), [((7, 7), 224), ((4, 4), 224), ((3, 5), 32), ((14, 14), 7), ((2, 2), 2)])
def test_the_distance_is_that_of_the_large_maps_and_so_is_its_gradient(grid, side, distance):
    one, other = maps(grid).requires_grad_(), maps(grid, seed=1)
    short = map_distance(one, other, grid, side=side, distance=distance)
    large = image_distance(resized(one, grid, side), resized(other, grid, side), distance)
    torch.testing.assert_close(short, large, rtol=1e-6, atol=0)
    slopes = (torch.autograd.grad(found.sum(), one)[0] for found in (short, large))
    torch.testing.assert_close(*slopes, rtol=1e-6, atol=1e-12)


def test_resizing_is_bilinear_with_half_pixel_centres():
    row = resized(torch.tensor([[0.0, 1.0]]), (1, 2), 4)[0]
    torch.testing.assert_close(row, torch.tensor([0.0, 0.25, 0.75, 1.0]).expand(4, 4))
    with pytest.raises(UsageError, match=r"maps are \(1, 5\), expected \(B,4\) for a grid of \(2, 2\)"):
        resized(torch.zeros(1, 5), (2, 2), 8)


def test_what_was_first_asked_without_gradients_can_be_trained_through():
    with torch.inference_mode():
        map_distance(maps((3, 3)), maps((3, 3), 1), (3, 3), side=11)
    one = maps((3, 3)).requires_grad_()
    map_distance(one, maps((3, 3), 1), (3, 3), side=11).sum().backward()
    assert one.grad.abs().sum() > 0


@pytest.mark.parametrize("distance", ["l2", "rms", "cos", "l1"])
def test_equal_and_constant_maps_have_finite_gradients(distance):
    raw = torch.ones(2, 4, requires_grad=True)
    stretched = minmax(raw)
    assert stretched.detach().abs().max() == 0
    map_distance(stretched, maps((2, 2), count=2).float(), (2, 2), distance=distance).sum().backward()
    assert torch.isfinite(raw.grad).all()
    same = maps((2, 2)).requires_grad_()
    found = map_distance(same, same.detach(), (2, 2), distance=distance)
    assert found.detach().abs().max() < 1e-15
    found.sum().backward()
    assert torch.isfinite(same.grad).all()


def test_minmax_is_blind_to_the_texts_length():
    random = torch.Generator().manual_seed(0)
    embedding, patches, text = (torch.randn(shape, generator=random) for shape in ((2, 8), (2, 9, 8), (2, 8)))
    one, other = (minmax(text_attention(embedding, patches, length * text)) for length in (1.0, 100.0))
    torch.testing.assert_close(one, other)
    cosines = text_attention(embedding, patches, F.normalize(text, dim=1), token_norm="channels")
    torch.testing.assert_close(cosines, F.cosine_similarity(patches, text[:, None], dim=2))


def test_vision_attention_takes_both_shapes_and_keeps_the_gradient():
    weights = torch.rand(2, 3, 5, 5, requires_grad=True)
    found = vision_attention(weights)
    torch.testing.assert_close(found, weights[:, :, 0, 1:].mean(1))
    torch.testing.assert_close(found, vision_attention(weights[:, :, 0, 1:]))
    found[0, 0].backward()
    assert weights.grad.count_nonzero() == 3
    with pytest.raises(UsageError, match=r"attention weights are \(2, 5\)"):
        vision_attention(torch.rand(2, 5))


def test_gradcam_differentiates_its_channel_weights_too():
    """Of a quadratic score the slopes are the activations themselves."""
    activations = torch.rand(2, 4, 3, dtype=torch.float64, requires_grad=True)
    found = gradcam(activations, activations.square().sum() / 2)
    expected = (activations * activations.mean(1, keepdim=True)).sum(2)
    torch.testing.assert_close(found, expected)
    slopes = (torch.autograd.grad(x.square().sum(), activations)[0] for x in (found, expected))
    torch.testing.assert_close(*slopes)
    with pytest.raises(UsageError, match="carry no gradient"):
        gradcam(activations.detach(), activations.sum())
    with pytest.raises(UsageError, match="does not depend on these"):
        gradcam(activations, torch.ones((), requires_grad=True) * 2)
