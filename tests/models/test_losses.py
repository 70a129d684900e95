"""Training losses: per sample, equal to a plain computation, each output in its place."""

import numpy as np
import pytest
import torch

from rgbdsod.errors import UsageError
from rgbdsod.models.losses import bbsnet_loss, d3net_loss, jldcf_loss, training_loss


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def cross_entropy(logits: torch.Tensor, mask: torch.Tensor) -> np.ndarray:
    """Binary cross-entropy from its definition."""
    p, g = 1 / (1 + np.exp(-logits.double().numpy())), mask.double().numpy()
    return -(g * np.log(p) + (1 - g) * np.log(1 - p)).mean(axis=(1, 2, 3))


MASK = (draw(3, 1, 32, 48, seed=9) > 0).float()
OUTPUTS = {
    "bbsnet": {name: draw(3, 1, 32, 48, seed=i) for i, name in enumerate(("initial", "final"))},
    "d3net": {name: draw(3, 1, 32, 48, seed=i) for i, name in enumerate(("rgb_logit", "rgbd_logit", "depth_logit"))},
    "jldcf": {"final": draw(3, 1, 32, 48), "coarse": draw(6, 1, 2, 3, seed=1)},
}


@pytest.mark.parametrize("architecture", ["bbsnet", "d3net"])
def test_cross_entropies_of_all_outputs_are_added(architecture: str) -> None:
    outputs = OUTPUTS[architecture]
    expected = sum(cross_entropy(value, MASK) for value in outputs.values())
    np.testing.assert_allclose(training_loss(architecture)(outputs, MASK).numpy(), expected, rtol=1e-5)


def test_coarse_logits_meet_a_mask_whose_corners_are_aligned() -> None:
    outputs = OUTPUTS["jldcf"]
    rows, columns = np.linspace(0, 31, 2), np.linspace(0, 47, 3)
    small = np.zeros((3, 1, 2, 3))
    for i, y in enumerate(rows):
        for j, x in enumerate(columns):
            y0, x0 = min(int(y), 30), min(int(x), 46)
            wy, wx = y - y0, x - x0
            patch = MASK[:, :, y0 : y0 + 2, x0 : x0 + 2].double().numpy()
            weights = np.outer([1 - wy, wy], [1 - wx, wx])
            small[:, :, i, j] = (patch * weights).sum(axis=(2, 3))
    coarse_mask = torch.from_numpy(small)
    expected = cross_entropy(outputs["final"], MASK) + sum(
        cross_entropy(half, coarse_mask) for half in outputs["coarse"].chunk(2)
    )
    np.testing.assert_allclose(training_loss("jldcf")(outputs, MASK).numpy(), expected, rtol=1e-5)


def test_the_two_halves_of_the_coarse_logits_belong_to_their_samples() -> None:
    mask = torch.stack([torch.zeros(1, 16, 16), torch.ones(1, 16, 16)])
    coarse = torch.tensor([-9.0, 9.0, -9.0, 9.0])[:, None, None, None].expand(4, 1, 2, 2)
    final = torch.tensor([-9.0, 9.0])[:, None, None, None].expand(2, 1, 16, 16)
    assert jldcf_loss({"final": final, "coarse": coarse}, mask).max() < 1e-3


@pytest.mark.parametrize("architecture", list(OUTPUTS))
def test_a_sample_does_not_depend_on_its_neighbours(architecture: str) -> None:
    outputs = OUTPUTS[architecture]
    values = training_loss(architecture)(outputs, MASK)
    assert values.shape == (3,)
    alone = {name: value.reshape(-1, 3, *value.shape[1:])[:, 1] for name, value in outputs.items()}
    torch.testing.assert_close(training_loss(architecture)(alone, MASK[1:2]), values[1:2])


def test_names_lead_to_their_losses() -> None:
    assert (training_loss("bbsnet"), training_loss("jldcf"), training_loss("d3net")) == (
        bbsnet_loss,
        jldcf_loss,
        d3net_loss,
    )


def test_an_unknown_architecture_is_refused_with_the_known() -> None:
    with pytest.raises(UsageError, match='no training loss for "pspnet"; there is one for bbsnet, jldcf, d3net, unet'):
        training_loss("pspnet")
