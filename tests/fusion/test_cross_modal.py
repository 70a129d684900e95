"""The cross-modal unit."""

import torch

from rgbdsod.fusion import cross_modal


def test_sum_and_product() -> None:
    rgb, depth = torch.tensor([[0.0, 2.0, -1.0]]), torch.tensor([[3.0, 4.0, 5.0]])
    torch.testing.assert_close(cross_modal(rgb, depth), torch.tensor([[3.0, 14.0, -1.0]]))


def test_each_input_scales_the_gradient_of_the_other() -> None:
    rgb, depth = torch.rand(2, 3, 4, 5, requires_grad=True), torch.rand(2, 3, 4, 5, requires_grad=True)
    by_rgb, by_depth = torch.autograd.grad(cross_modal(rgb, depth).sum(), (rgb, depth))
    torch.testing.assert_close(by_rgb, 1 + depth)
    torch.testing.assert_close(by_depth, 1 + rgb)
