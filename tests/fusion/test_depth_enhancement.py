"""The two gates of depth enhancement, against a plain computation and at ties."""

import numpy as np
import pytest
import torch

from rgbdsod.fusion import ChannelGate, SpatialGate


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def test_channel_gate_equals_a_plain_computation() -> None:
    gate, x = ChannelGate(64), torch.randn(2, 64, 5, 7)
    first, second = (p.detach().numpy()[:, :, 0, 0] for p in gate.parameters())
    hidden = np.maximum(x.numpy().max(axis=(2, 3)) @ first.T, 0)
    expected = x.numpy() * sigmoid(hidden @ second.T)[:, :, None, None]
    np.testing.assert_allclose(gate(x).detach().numpy(), expected, rtol=1e-4, atol=1e-6)


def test_spatial_gate_equals_a_plain_computation() -> None:
    gate, x = SpatialGate(), torch.randn(1, 6, 5, 7)
    kernel = next(gate.parameters()).detach().numpy()[0, 0]
    peaks = np.pad(x.numpy()[0].max(axis=0), 3)
    windows = np.lib.stride_tricks.sliding_window_view(peaks, (7, 7))
    expected = x.numpy() * sigmoid((windows * kernel).sum(axis=(2, 3)))
    np.testing.assert_allclose(gate(x).detach().numpy(), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("width", "hidden"), [(2048, 128), (64, 4), (16, 4)])
def test_the_channel_gate_is_sixteen_times_narrower_but_never_below_four(width: int, hidden: int) -> None:
    assert ChannelGate(width).fc1.weight.shape == (hidden, width, 1, 1)


def test_among_equal_pixels_one_gets_the_gradient_of_the_maximum() -> None:
    gate = ChannelGate(4)
    torch.nn.init.constant_(gate.fc1.weight, 0.1)
    torch.nn.init.constant_(gate.fc2.weight, 0.1)
    x = torch.ones(1, 4, 3, 3, requires_grad=True)
    (gradient,) = torch.autograd.grad(gate(x).sum(), x)
    common = gradient.flatten(2).median(dim=2, keepdim=True).values
    assert ((gradient.flatten(2) - common).abs() > 1e-6).sum(dim=2).tolist() == [[1, 1, 1, 1]]


def test_among_equal_channels_one_gets_the_gradient_of_the_maximum() -> None:
    gate = SpatialGate()
    torch.nn.init.constant_(gate.conv1.weight, 0.1)
    x = torch.ones(1, 5, 3, 3, requires_grad=True)
    (gradient,) = torch.autograd.grad(gate(x).sum(), x)
    common = gradient.median(dim=1, keepdim=True).values
    assert ((gradient - common).abs() > 1e-6).sum(dim=1).unique().tolist() == [1]
