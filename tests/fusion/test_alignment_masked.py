"""Guided masked modelling: what is hidden stays hidden, what is attended is chosen, only hidden places count."""

import pytest
import torch
import torch.nn.functional as F

from rgbdsod.errors import UsageError
from rgbdsod.fusion import CrossEncoder, MaskedModelling
from rgbdsod.fusion.alignment.masked import hidden_error

CHANNELS = {"rgb": 8, "depth": 8}


@pytest.fixture
def masked() -> MaskedModelling:
    torch.manual_seed(0)
    return MaskedModelling(CrossEncoder(CHANNELS, width=16), {"rgb": 3, "depth": 1}, patch=8)


@pytest.fixture
def inputs() -> dict[str, torch.Tensor]:
    random = torch.Generator().manual_seed(0)
    return {name: torch.rand(2, c, 32, 32, generator=random) for name, c in (("rgb", 3), ("depth", 1))}


def encode(name: str, x: torch.Tensor) -> torch.Tensor:
    """A stand-in for an encoder: wide windows, so that each place sees its neighbours."""
    smooth = F.avg_pool2d(x.mean(1, keepdim=True), 15, 1, 7, count_include_pad=False)
    return F.avg_pool2d(smooth, 8).expand(-1, 8, -1, -1) * torch.arange(1.0, 9).view(1, -1, 1, 1)


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize("name", ["rgb", "depth"])
def test_hidden_pixels_tell_the_rebuilt_ones_nothing(name: str, masked, inputs) -> None:
    """Not even through the wide windows of the encoder over visible pixels."""
    x = inputs[name].requires_grad_()
    chosen = torch.zeros(2, 16, dtype=torch.bool)
    chosen[:, :4] = True
    features = encode(name, masked.hide(name, x, chosen))
    other = encode("other", inputs["depth" if name == "rgb" else "rgb"].detach())
    rebuilt = masked.rebuild(name, features, other, chosen)
    assert rebuilt.shape == x.shape
    rebuilt.square().sum().backward()
    assert (x.grad[:, :, :8] == 0).all()
    assert (x.grad[:, :, 8:] != 0).any()


def test_only_hidden_pixels_count() -> None:
    rebuilt, x = torch.rand(2, 3, 8, 8).requires_grad_(), torch.rand(2, 3, 8, 8).requires_grad_()
    where = torch.zeros(2, 1, 8, 8, dtype=torch.bool)
    where[:, :, :2] = True
    loss, _ = hidden_error(rebuilt, x, where)
    torch.testing.assert_close(loss, (rebuilt - x)[:, :, :2].abs().mean())
    loss.backward()
    assert (rebuilt.grad[:, :, 2:] == 0).all() and (rebuilt.grad[:, :, :2] != 0).all()
    assert x.grad is None, "the target is no way into the encoder"


def test_masks_are_random_at_first_then_follow_attention(masked, monkeypatch) -> None:
    rgb, depth = torch.rand(64, 8, 4, 4), torch.rand(64, 8, 4, 4)
    attention = torch.arange(16.0).expand(64, 16)
    monkeypatch.setattr(masked, "_attention", lambda *_: attention)
    top = torch.arange(16) >= 12
    early = masked.choose("depth", rgb, depth, 0.05, generator())
    late = masked.choose("depth", rgb, depth, 0.5, generator())
    assert (early.sum(1) == 4).all() and (late.sum(1) == 4).all()
    assert (early == top).all(1).float().mean() < 0.1
    assert 0.3 < (late == top).all(1).float().mean() < 0.7
    assert not late.is_floating_point() and not late.requires_grad


@pytest.mark.parametrize("name", ["rgb", "depth"])
def test_a_step(name: str, masked, inputs) -> None:
    features = {key: encode(key, x) for key, x in inputs.items()}
    loss, seen = masked(name, inputs, features, encode, generator())
    loss.backward()
    assert float(seen["error"]) == pytest.approx(float(loss.detach()))
    assert 0 < seen["baseline"] < 0.5
    assert masked.token.grad.abs().sum() > 0 and masked.fill[name].grad.abs().sum() > 0


def test_depth_is_rebuilt_from_the_other_input(masked) -> None:
    optimizer = torch.optim.Adam(masked.parameters(), 1e-2)
    random = generator()
    for _ in range(200):
        depth = torch.rand(8, 1, 4, 4, generator=random).repeat_interleave(8, 2).repeat_interleave(8, 3)
        inputs = {"rgb": depth.expand(-1, 3, -1, -1), "depth": depth}
        features = {key: F.avg_pool2d(x[:, :1], 8).expand(-1, 8, -1, -1) for key, x in inputs.items()}
        plain = lambda _, x: F.avg_pool2d(x[:, :1], 8).expand(-1, 8, -1, -1)  # noqa: E731
        loss, seen = masked("depth", inputs, features, plain, random)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.8 * seen["baseline"]


def test_half_precision_and_one_image(masked, inputs) -> None:
    one = {name: x[:1] for name, x in inputs.items()}
    with torch.autocast("cpu", torch.float16):
        features = {key: encode(key, x).half() for key, x in one.items()}
        loss, _ = masked("depth", one, features, lambda name, x: encode(name, x).half(), generator())
    loss.backward()
    assert torch.isfinite(loss)
    assert all(torch.isfinite(value.grad).all() for value in masked.parameters() if value.grad is not None)


def test_sizes_that_do_not_fit_are_refused(masked) -> None:
    with pytest.raises(UsageError, match="inputs of 20x32 and 8 patches of 8 pixels do not fit"):
        masked.hide("depth", torch.rand(1, 1, 20, 32), torch.zeros(1, 8, dtype=torch.bool))
    with pytest.raises(UsageError, match="ratio 1: a share of the patches"):
        MaskedModelling(CrossEncoder(CHANNELS, width=16), {"rgb": 3}, ratio=1.0)
