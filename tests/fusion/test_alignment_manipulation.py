"""Which input was attacked: the contrast with twins, the heads, and what their gradient may reach."""

import pytest
import torch
import torch.nn.functional as F

from rgbdsod.fusion import CrossEncoder, Manipulation, itc_loss, manipulation_contrast, patch_loss

CHANNELS = {"rgb": 6, "depth": 6}
T = 0.07


def vectors(count: int = 5) -> list[torch.Tensor]:
    random = torch.Generator().manual_seed(0)
    return [torch.randn(count, 8, generator=random) for _ in range(4)]


def test_without_manipulated_pairs_it_is_itc() -> None:
    rgb, depth, *others = vectors()
    nothing, groups = torch.zeros(5, 2, dtype=torch.bool), torch.tensor([1, 1, -1, -1, -1])
    contrast, _ = manipulation_contrast(rgb, depth, *others, nothing, T, groups)
    torch.testing.assert_close(contrast, itc_loss(rgb, depth, T, groups)[0], rtol=0, atol=1e-6)


def test_the_attacked_twin_is_one_more_negative_of_its_own_row() -> None:
    rgb, depth, rgb_twin, depth_twin = (F.normalize(x, dim=1) for x in vectors())
    attacked = torch.zeros(5, 2, dtype=torch.bool)
    attacked[2, 1] = True  # the depth of the third image
    similarity, labels = rgb @ depth.T / T, torch.arange(5)
    extra = torch.full((5, 1), -torch.inf)
    extra[2] = (rgb[2] @ depth_twin[2]) / T
    expected = (F.cross_entropy(torch.cat([similarity, extra], 1), labels) + F.cross_entropy(similarity.T, labels)) / 2
    contrast, seen = manipulation_contrast(rgb, depth, rgb_twin, depth_twin, attacked, T)
    torch.testing.assert_close(contrast, expected)
    torch.testing.assert_close(seen["twin"], extra[2, 0] * T)


@pytest.mark.parametrize("shared", [False, True])
def test_the_gradient_stops_before_the_encoders_unless_shared(shared: bool) -> None:
    maps = [torch.rand(3, 6, 2, 2).requires_grad_() for _ in range(4)]
    head = Manipulation(CHANNELS, CrossEncoder(CHANNELS, width=16), shared=shared)
    loss, seen = head(*maps, torch.tensor([[1, 0, 0], [0, 0, 1], [0, 0, 0]]).bool())
    loss.backward()
    assert all((x.grad is not None and x.grad.abs().sum() > 0) == shared for x in maps)
    assert {"twin", "accuracy_rgb", "accuracy_depth", "accuracy_mismatch"} < set(seen)


def test_it_learns_which_side_and_blames_neither_for_a_swap() -> None:
    torch.manual_seed(0)
    random = torch.Generator().manual_seed(0)
    head = Manipulation(CHANNELS, CrossEncoder(CHANNELS, width=16, layers=1))
    optimizer = torch.optim.Adam(head.parameters(), 5e-3)
    kinds = torch.tensor([[1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 0, 1]]).bool().repeat(4, 1)
    trace = torch.tensor([0.0, 0, 0, 0, 0, 3]).view(6, 1, 1)

    def pairs() -> list[torch.Tensor]:
        scene = torch.randn(16, 6, 2, 2, generator=random)
        scene[:, 5] = 0
        twins = [scene + trace * kinds[:, k, None, None, None] for k in (0, 1)]
        twins[1][3::4] = scene.roll(5, 0)[3::4]
        return [scene, scene, *twins]

    for _ in range(150):
        loss, _ = head(*pairs(), kinds)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    found = head.logits(*pairs()[2:]) > 0
    assert (found[:, :2] == kinds[:, :2]).float().mean() > 0.95, "swapped pairs included: neither side is accused"
    assert found[kinds[:, 2], 2].float().mean() >= 0.5


@pytest.mark.parametrize("count", [1, 3])
def test_finite_in_half_precision(count: int) -> None:
    maps = [(100 * torch.randn(count, 6, 2, 2)).requires_grad_() for _ in range(4)]
    head = Manipulation(CHANNELS, CrossEncoder(CHANNELS, width=16), shared=True)
    with torch.autocast("cpu", torch.float16):
        loss, _ = head(*(x.half() for x in maps), torch.ones(count, 3).bool(), torch.zeros(count, dtype=torch.long))
    loss.backward()
    assert torch.isfinite(loss) and all(torch.isfinite(x.grad).all() for x in maps)


def test_a_patch_is_placed_where_the_inputs_disagree() -> None:
    patch = torch.zeros(2, 1, 8, 8)
    patch[0, :, :4, :4] = 1
    there = 2 * F.avg_pool2d(patch, 2)
    assert float(patch_loss(there, patch)) == pytest.approx(0, abs=1e-6)
    assert float(patch_loss(2 - there, patch)) > 0.8
    assert float(patch_loss(there, torch.zeros_like(patch))) == 0
