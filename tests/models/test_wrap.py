"""Any torch module becomes a model."""

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from rgbdsod.errors import UsageError
from rgbdsod.models.wrap import wrap


class Sum(nn.Module):
    """Mean over the channels of all inputs, as a bare tensor."""

    def forward(self, *inputs: Tensor) -> Tensor:
        return torch.cat(inputs, dim=1).mean(dim=1, keepdim=True)


class Staged(nn.Module):
    """Per input a convolution, then the sum."""

    inputs = ("left", "depth")

    def __init__(self) -> None:
        super().__init__()
        self.convolutions = nn.ModuleDict({"left": nn.Conv2d(3, 1, 1), "depth": nn.Conv2d(1, 1, 1)})

    def encode(self, name: str, x: Tensor) -> Tensor:
        return self.convolutions[name](x)

    def fuse(self, features: Mapping[str, Any]) -> dict[str, Tensor]:
        return {"final": features["left"] + features["depth"]}

    def forward(self, left: Tensor, depth: Tensor) -> dict[str, Tensor]:
        return self.fuse({"left": self.encode("left", left), "depth": self.encode("depth", depth)})


RGB, DEPTH = torch.full((1, 3, 8, 8), 0.75), torch.full((1, 1, 8, 8), 0.25)


def test_a_network_of_rgb_alone() -> None:
    model = wrap(Sum(), inputs=("rgb",), mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))
    assert model(rgb=RGB).unique().tolist() == [1.0]
    assert model.inputs == ("rgb",)
    assert (model.name, model.card.architecture, model.card.source) == ("sum", "Sum", "given")


def test_one_mean_is_for_the_images_and_a_mapping_for_each_input() -> None:
    images = wrap(Sum(), mean=(0.75, 0.75, 0.75))
    assert torch.allclose(images(rgb=RGB, depth=DEPTH), torch.tensor(0.25 / 4))
    each = wrap(Sum(), mean={"depth": (0.25,)}, std={"rgb": (3.0, 3.0, 3.0)})
    assert torch.allclose(each(rgb=RGB, depth=DEPTH), torch.tensor(0.75 / 4))


def test_depth_is_repeated_and_flipped_on_request() -> None:
    model = wrap(Sum(), depth_channels=3, near="dark")
    assert torch.allclose(model(rgb=RGB, depth=DEPTH), torch.tensor(0.75))


def test_a_size_of_its_own() -> None:
    model = wrap(Sum(), size=(4, 6), multiple=2)
    assert model.outputs({"rgb": RGB, "depth": DEPTH})["final"].shape == (1, 1, 4, 6)
    assert model(rgb=RGB, depth=DEPTH).shape == (1, 1, 8, 8)


def test_a_staged_network_with_other_names_keeps_partial_evaluation() -> None:
    network = Staged()
    model = wrap(network, inputs=("left", "depth"), name="mine")
    features = {"left": model.encode("left", RGB), "depth": model.encode("depth", DEPTH)}
    assert features["left"].shape == (1, 1, 8, 8)
    assert torch.equal(model.fuse(features, (8, 8)), model(left=RGB, depth=DEPTH))
    assert model.name == "mine"
    assert model.card.parameters == 6


def test_the_mode_is_left_as_it_is() -> None:
    assert not wrap(Sum().eval()).network.training
    assert wrap(Sum()).network.training


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"inputs": ()}, "inputs are \\(\\); give each a name"),
        ({"inputs": ("rgb", "rgb")}, "give each a name of its own"),
        ({"inputs": ("size",)}, 'not "size"'),
        ({"mean": (0.5,)}, 'mean of "rgb" has 1 numbers, but the module takes 3 channels of it'),
        ({"std": {"depth": (0.0,)}}, 'std of "depth" is \\(0.0,\\); it divides, so give numbers above 0'),
    ],
)
def test_what_does_not_fit_is_explained(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        wrap(Sum(), **options)


def test_only_modules_can_be_wrapped() -> None:
    with pytest.raises(UsageError, match=r"wrap takes a torch\.nn\.Module, but got function"):
        wrap(lambda rgb, depth: rgb)  # type: ignore[arg-type]
