"""Encoders run stage by stage: same features as timm's own, known strides, refused names and sizes."""

import pytest
import timm
import torch

from rgbdsod.errors import UsageError
from rgbdsod.models.encoders import StagedEncoder, check_minimum, check_multiple

NARROW = {"channels": (8, 12, 16, 24), "stem_width": 8}


def test_features_are_those_of_timm() -> None:
    encoder = StagedEncoder("resnet10t", 3, stem_pool=False, **NARROW).eval()
    reference = timm.create_model("resnet10t", features_only=True, pretrained=False, **NARROW).eval()
    reference.load_state_dict(encoder.state_dict())
    x = torch.rand(2, 3, 72, 100)
    for own, expected in zip(encoder(x), reference(x), strict=True):
        torch.testing.assert_close(own, expected)


@pytest.mark.parametrize("stem_pool", [True, False])
def test_the_pool_moves_between_stem_and_first_layer(stem_pool: bool) -> None:
    x = torch.rand(1, 3, 64, 64)
    torch.manual_seed(0)
    encoder = StagedEncoder("resnet10t", 3, stem_pool=stem_pool, **NARROW).eval()
    features = encoder(x)
    assert encoder.strides[0] == (4 if stem_pool else 2)
    assert [f.shape[1] for f in features] == list(encoder.widths)
    assert [64 // f.shape[2] for f in features] == list(encoder.strides)
    for index, feature in enumerate(features[1:], start=1):
        torch.testing.assert_close(encoder.step(index, features[index - 1]), feature)


@pytest.mark.parametrize(
    ("name", "options", "strides"),
    [
        ("resnet18", {"channels": (8, 8, 8, 8)}, (2, 4, 8, 16, 32)),
        ("resnet10t", {**NARROW, "output_stride": 16}, (2, 4, 8, 16, 16)),
        ("skresnet18", {}, (2, 4, 8, 16, 32)),
    ],
)
def test_strides_and_widths_are_what_they_say(name: str, options: dict, strides: tuple[int, ...]) -> None:
    encoder = StagedEncoder(name, 1, stem_pool=False, **options).eval()
    assert encoder.strides == strides
    with torch.no_grad():
        features = encoder(torch.rand(1, 1, 64, 96))
    assert [(f.shape[1], 64 // f.shape[2]) for f in features] == list(zip(encoder.widths, strides, strict=True))


def test_another_family_is_refused_with_what_works() -> None:
    with pytest.raises(UsageError, match=r'"efficientnet_b0" cannot be run stage by stage; .* such as resnet10t'):
        StagedEncoder("efficientnet_b0", 3)


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(UsageError, match='timm has no model "resnet19"'):
        StagedEncoder("resnet19", 3)


def test_a_size_that_is_no_multiple_is_refused_with_the_fix() -> None:
    message = (
        "net takes heights and widths that are multiples of 32, but got 350x352; resize to 352x352, "
        "or pad 2 rows and 0 columns"
    )
    with pytest.raises(UsageError) as caught:
        check_multiple("net", torch.zeros(1, 3, 350, 352), 32)
    assert str(caught.value) == message
    check_multiple("net", torch.zeros(1, 3, 64, 32), 32)


def test_an_empty_image_is_no_multiple() -> None:
    with pytest.raises(UsageError, match="got 0x32; resize to 32x32"):
        check_multiple("net", torch.zeros(1, 3, 0, 32), 32)


def test_a_small_image_is_refused_with_a_size_of_its_shape() -> None:
    with pytest.raises(UsageError, match="at least 32, but got 16x31; resize to 32x62"):
        check_minimum("net", torch.zeros(1, 3, 16, 31), 32)
    check_minimum("net", torch.zeros(1, 3, 32, 33), 32)
