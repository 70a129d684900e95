"""The adapter: logits at the size that is asked for, partial evaluation, maps as they are saved, and bad input."""

from collections.abc import Mapping
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rgbdsod.errors import UsageError
from rgbdsod.models.base import Card, SaliencyModel
from rgbdsod.models.table import InputSpec
from rgbdsod.models.zoo import build_model
from rgbdsod.types import MapModel

SMALL = ("bbsnet", "jldcf", "d3net")


class Echo(nn.Module):
    """Logits that are the difference of the two inputs' first channels."""

    def forward(self, rgb: Tensor, depth: Tensor) -> dict[str, Tensor]:
        return {"final": rgb[:, :1] - depth[:, :1]}


class StagedEcho(Echo):
    """The same, in parts; counts how often each input is encoded."""

    inputs = ("rgb", "depth")

    def __init__(self) -> None:
        super().__init__()
        self.encoded: list[str] = []

    def encode(self, name: str, x: Tensor) -> Tensor:
        self.encoded.append(name)
        return x[:, :1]

    def fuse(self, features: Mapping[str, Any]) -> dict[str, Tensor]:
        return {"final": features["rgb"] - features["depth"]}


class Always(nn.Module):
    """Returns one value whatever comes in."""

    def __init__(self, value: object) -> None:
        super().__init__()
        self.value = value

    def forward(self, rgb: Tensor, depth: Tensor) -> object:
        return self.value


def echo(network: nn.Module | None = None, **options: Any) -> SaliencyModel:
    specs = {"rgb": InputSpec(3), "depth": InputSpec(1)}
    return SaliencyModel(network or Echo(), specs, Card("echo", "Echo", "given"), **options)


def some_inputs(height: int = 32, width: int = 48, batch: int = 2) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    rgb = torch.rand(batch, 3, height, width, generator=generator)
    return {"rgb": rgb, "depth": torch.rand(batch, 1, height, width, generator=generator)}


# Calls


@pytest.mark.parametrize("name", SMALL)
def test_a_call_equals_its_parts_at_any_size(name: str) -> None:
    model = build_model(name, seed=0, device="cpu").eval()
    inputs = some_inputs(50, 70)
    with torch.no_grad():
        whole = model(**inputs)
        parts = model.fuse({key: model.encode(key, x) for key, x in inputs.items()}, (50, 70))
    assert isinstance(model, MapModel)
    assert whole.shape == (2, 1, 50, 70) and whole.dtype == torch.float32
    assert torch.allclose(whole, parts, atol=1e-4 * float(whole.std()))


@pytest.mark.parametrize("name", SMALL)
def test_gradients_reach_both_inputs_and_each_image_has_its_own(name: str) -> None:
    model = build_model(name, seed=0, device="cpu").eval()
    inputs = {key: x.requires_grad_() for key, x in some_inputs(64, 64).items()}
    gradients = torch.autograd.grad(model(**inputs)[0].sum(), list(inputs.values()))
    for gradient in gradients:
        assert gradient[0].abs().max() > 0
        assert gradient[1].abs().max() == 0


def test_partial_evaluation_encodes_only_what_is_asked() -> None:
    network = StagedEcho()
    model = echo(network)
    inputs = some_inputs()
    kept = model.encode("rgb", inputs["rgb"])
    for _ in range(3):
        out = model.fuse({"rgb": kept, "depth": model.encode("depth", inputs["depth"])}, (32, 48))
    assert network.encoded == ["rgb", "depth", "depth", "depth"]
    assert torch.equal(out, echo()(**inputs))


@pytest.mark.parametrize("align_corners", [True, False])
def test_logits_are_enlarged_as_the_row_says(align_corners: bool) -> None:
    logits = torch.randn(2, 1, 6, 5, generator=torch.Generator().manual_seed(0))
    model = echo(Always({"final": logits}), align_corners=align_corners)
    expected = F.interpolate(logits, (32, 48), mode="bilinear", align_corners=align_corners)
    assert torch.equal(model(**some_inputs()), expected)


def test_probabilities_become_logits_and_the_networks_own_logits_are_preferred() -> None:
    probability = torch.tensor([0.0, 0.25, 1.0]).view(1, 1, 1, 3)
    inputs = some_inputs(1, 3, batch=1)
    logits = echo(Always(probability), probability=True)(**inputs)
    assert torch.isfinite(logits).all()
    assert torch.allclose(logits.sigmoid(), probability, atol=1e-5)
    outputs = {"final": probability, "logit": torch.full_like(probability, 7.0)}
    assert torch.equal(echo(Always(outputs), probability=True)(**inputs), outputs["logit"])


def test_logits_of_half_precision_are_resized_in_float32() -> None:
    model = echo(Always(torch.randn(2, 1, 6, 5).bfloat16()))
    assert model(**some_inputs()).dtype == torch.float32


def test_maps_are_rounded_to_8_bit_at_the_size_that_is_asked() -> None:
    logits = torch.tensor([-20.0, 0.0, 0.5, 20.0]).view(1, 1, 1, 4)
    inputs = some_inputs(1, 4, batch=1)
    model = echo(Always(logits))
    assert model.predict(**inputs).tolist() == [[[0, 128, 159, 255]]]
    assert model.predict(size=(3, 5), **inputs).shape == (1, 3, 5)
    assert model.predict(**inputs).dtype == torch.uint8


def test_a_networks_own_8_bit_rule_is_used() -> None:
    class Own(Echo):
        def predict_maps(self, outputs: Mapping[str, Tensor], size: tuple[int, int]) -> Tensor:
            return torch.full((len(outputs["final"]), *size), 7, dtype=torch.uint8)

    assert echo(Own()).predict(**some_inputs()).unique().tolist() == [7]


def test_d3net_saves_the_depurated_map() -> None:
    model = build_model("d3net", seed=0, device="cpu").eval()
    inputs = some_inputs(40, 60)
    with torch.no_grad():
        expected = model.network.predict_maps(model.outputs(inputs), (40, 60))
    assert torch.equal(model.predict(**inputs), expected)


@pytest.mark.parametrize(("output", "expected"), [("final", 1.0), (0, 1.0), ("1", 2.0)])
def test_one_of_several_outputs_is_chosen(output: str | int, expected: float) -> None:
    maps = [torch.full((2, 1, 32, 48), value) for value in (1.0, 2.0)]
    outputs = dict(zip(("final", "1"), maps, strict=True)) if output != 0 else tuple(maps)
    assert echo(Always(outputs), output=output)(**some_inputs()).unique().tolist() == [expected]


# Sizes


def test_at_shares_the_network_and_changes_the_size() -> None:
    model = build_model("jldcf", seed=0, device="cpu").eval()
    other = model.at((64, 96))
    assert other.network is model.network
    assert model.size == (128, 128)
    assert other.outputs(some_inputs())["final"].shape[-2:] == (64, 96)
    assert model.at(None).outputs(some_inputs(32, 48))["final"].shape[-2:] == (32, 48)


def test_a_size_that_does_not_fit_is_explained() -> None:
    model = build_model("bbsnet", seed=0, device="cpu")
    message = "bbsnet.demo works at heights and widths that are multiples of 32, but got 100x64; 96x64 would do"
    with pytest.raises(UsageError, match=message):
        model.at((100, 64))
    with pytest.raises(UsageError, match="but got 100x64"):
        model.at(None)(**some_inputs(100, 64))


# Bad input


def check_message(inputs: dict[str, Any], message: str) -> None:
    for call in (echo(), echo().predict):
        with pytest.raises(UsageError) as error:
            call(**inputs)
        assert str(error.value) == message
        assert error.value.code == 2


def test_normalised_images_are_refused() -> None:
    rgb = torch.linspace(-2.12, 2.64, 3 * 32 * 48).view(1, 3, 32, 48).expand(2, -1, -1, -1)
    check_message(
        some_inputs() | {"rgb": rgb},
        'input "rgb" has values from -2.12 to 2.64; pass images in [0, 1], the model normalises them itself',
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_is_refused(value: float) -> None:
    inputs = some_inputs()
    inputs["depth"][1, 0, 3, 4] = value
    with pytest.raises(UsageError, match=r'input "depth" h.*(NaN|inf)'):
        echo()(**inputs)


def test_rounding_outside_the_range_is_tolerated() -> None:
    inputs = some_inputs()
    inputs["rgb"][0, 0, 0, 0] = 1 + 1e-6
    echo()(**inputs)


def test_missing_and_unknown_inputs_are_named() -> None:
    check_message({"rgb": some_inputs()["rgb"]}, "echo has inputs rgb, depth; got rgb")
    check_message({"hha": some_inputs()["rgb"]}, "echo has inputs rgb, depth; got hha")


def test_shapes_and_types_are_checked() -> None:
    inputs = some_inputs()
    check_message(inputs | {"depth": inputs["rgb"]}, 'input "depth" is 2x3x32x48; pass a tensor (B, 1, H, W)')
    check_message(inputs | {"rgb": inputs["rgb"][0]}, 'input "rgb" is 3x32x48; pass a tensor (B, 3, H, W)')
    check_message(inputs | {"rgb": inputs["rgb"].numpy()}, 'input "rgb" is ndarray; pass a tensor (B, 3, H, W)')
    check_message(
        inputs | {"rgb": (inputs["rgb"] * 255).byte()},
        'input "rgb" is torch.uint8; pass floating point in [0, 1] (divide 8-bit images by 255)',
    )
    check_message(
        inputs | {"depth": inputs["depth"][:1]},
        'input "rgb" is 2x3x32x48 but "depth" is 1x1x32x48; give both the same batch, height and width',
    )


def test_wrong_outputs_are_explained() -> None:
    maps = torch.zeros(2, 1, 32, 48)
    with pytest.raises(UsageError, match="echo has no output 'final' among 0, 1; choose one with output="):
        echo(Always((maps, maps)))(**some_inputs())
    with pytest.raises(UsageError, match="echo returned 2x21x8x8; a map is"):
        echo(Always({"out": torch.zeros(2, 21, 8, 8)}))(**some_inputs())
