"""Each published architecture with one input alone: the reference of a fusion ablation."""

from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from rgbdsod.errors import UsageError, WeightsError
from rgbdsod.models.bbsnet import bbsnet_paper, bbsnet_small
from rgbdsod.models.d3net import d3net_paper, d3net_small
from rgbdsod.models.fusions import with_fusion
from rgbdsod.models.jldcf import jldcf_paper, jldcf_small
from rgbdsod.models.losses import training_loss
from rgbdsod.models.table import MODELS, REFERENCES, STAGES
from rgbdsod.models.zoo import build_model, hollow_network, load_model
from rgbdsod.run.catalogue import info
from rgbdsod.run.streams import streams_of
from rgbdsod.run.train import train
from rgbdsod.types import StagedNetwork

SMALL: dict[str, Any] = {"bbsnet": bbsnet_small, "jldcf": jldcf_small, "d3net": d3net_small}
PAPER: dict[str, Any] = {"bbsnet": bbsnet_paper, "jldcf": jldcf_paper, "d3net": d3net_paper}
OUTPUTS = {"bbsnet": {"initial", "final"}, "jldcf": {"final", "coarse"}}
SIX = pytest.mark.parametrize(("name", "reference"), list(product(SMALL, REFERENCES)))


def made(name: str, reference: str) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network: nn.Module = SMALL[name](fusion=reference)
        return network


def read_by(name: str, reference: str, batch: int = 2, side: int = 64) -> Tensor:
    channels = 1 if reference == "depth" and name != "jldcf" else 3
    return torch.rand(batch, channels, side, side, generator=torch.Generator().manual_seed(1))


def shapes(network: nn.Module, without: tuple[str, ...] = ()) -> dict[str, tuple[int, ...]]:
    return {key: tuple(x.shape) for key, x in network.state_dict().items() if not key.startswith(without)}


@SIX
def test_it_is_the_architecture_with_one_input(name: str, reference: str) -> None:
    network, x = made(name, reference).eval(), read_by(name, reference)
    assert isinstance(network, StagedNetwork)
    assert network.inputs == (reference,)
    outputs = network(x)
    assert outputs.keys() == OUTPUTS.get(name, {"final", "logit", f"{reference}_logit"})
    assert outputs["final"].shape == (2, 1, 64, 64)
    parts = network.fuse({reference: network.encode(reference, x)})
    torch.testing.assert_close(parts["final"], outputs["final"])


@SIX
def test_every_weight_is_trained_by_the_loss_of_the_architecture(name: str, reference: str) -> None:
    network = made(name, reference).train()
    mask = torch.zeros(2, 1, 64, 64)
    mask[..., 16:48, 8:40] = 1
    loss = training_loss(name)(network(read_by(name, reference)), mask)
    assert loss.shape == (2,)
    gradients = torch.autograd.grad(loss.sum(), list(network.parameters()), allow_unused=True)
    assert [n for (n, _), g in zip(network.named_parameters(), gradients, strict=True) if g is None] == []


@SIX
def test_encoder_and_decoder_are_those_of_the_published_network(name: str, reference: str) -> None:
    whole = made(name, "early" if name == "d3net" else "multistage")
    own = shapes(made(name, reference))
    if name == "jldcf":
        assert own == shapes(whole)  # both inputs pass one backbone, and cross-modal units have no weights
    elif name == "d3net":
        assert own == shapes(whole.get_submodule("rgbnet" if reference == "rgb" else "depthnet"))
    else:
        fused = ("atten_", "resnet.", "resnet_depth.")
        assert shapes(made(name, reference), ("resnet.",)) == shapes(whole, fused)
        encoder = whole.get_submodule("resnet" if reference == "rgb" else "resnet_depth")
        assert shapes(made(name, reference).get_submodule("resnet")) == shapes(encoder)


@pytest.mark.parametrize(("name", "reference"), list(product(PAPER, REFERENCES)))
def test_published_sizes_are_built(name: str, reference: str) -> None:
    with torch.device("meta"):
        network = PAPER[name](fusion=reference).eval()
        outputs = network(torch.empty(1, 1 if reference == "depth" and name != "jldcf" else 3, 64, 64))
    assert outputs["final"].shape == (1, 1, 64, 64)
    assert sum(p.numel() for p in network.parameters()) <= sum(p.numel() for p in PAPER[name]().parameters())


@SIX
def test_the_zoo_builds_it_with_the_preprocessing_of_its_input(name: str, reference: str) -> None:
    model = build_model(name, fusion=reference, seed=0, device="cpu").eval()
    assert (model.inputs, model.name, model.card.fusion) == ((reference,), f"{name}-{reference}", reference)
    assert model.specs == {reference: MODELS[name].inputs[reference]}
    x = torch.rand(1, 3 if reference == "rgb" else 1, 70, 90)
    with torch.no_grad():
        torch.testing.assert_close(
            model(**{reference: x}), model.fuse({reference: model.encode(reference, x)}, (70, 90))
        )
    assert model.predict(**{reference: x}).shape == (1, 70, 90)
    with pytest.raises(UsageError, match=f"has inputs {reference}; got rgb, depth"):
        model(rgb=torch.rand(1, 3, 70, 90), depth=torch.rand(1, 1, 70, 90))


@SIX
def test_it_has_no_two_encoders(name: str, reference: str) -> None:
    with pytest.raises(
        UsageError, match=f"of {reference} alone has no separate encoders of RGB and depth, which align"
    ):
        made(name, reference).streams()  # type: ignore[operator]
    with pytest.raises(UsageError, match=f"{name}-{reference} names no separate encoders of RGB and depth"):
        streams_of(build_model(name, fusion=reference, seed=0, device="cpu"))


@pytest.mark.parametrize("name", SMALL)
def test_an_unknown_fusion_is_answered_with_all(name: str) -> None:
    with pytest.raises(UsageError, match=f'{name} has fusion early, feature, multistage, rgb, depth; got "late"'):
        build_model(name, fusion="late", device="cpu")
    with pytest.raises(UsageError, match='has fusion early, feature, multistage, rgb, depth; got "late"'):
        SMALL[name](fusion="late")


def test_the_references_are_no_stages() -> None:
    assert STAGES == ("early", "feature", "multistage")
    assert MODELS["bbsnet"].fusions == MODELS["d3net.paper"].fusions == (*STAGES, *REFERENCES)


@SIX
def test_info_describes_it(name: str, reference: str) -> None:
    facts = info(name, fusion=reference).facts
    assert (facts["inputs"], facts["fusion"]) == (reference, reference)
    assert facts["fusions"] == "early, feature, multistage, rgb, depth"


def test_without_weights_it_says_that_it_is_untrained() -> None:
    model = load_model("jldcf", fusion="depth", device="cpu")
    assert model.card.source == "untrained"
    assert "no built-in weights for fusion depth" in model.card.note


def test_its_weights_are_recognised(tmp_path: Path) -> None:
    path = tmp_path / "rgb.pt"
    torch.save({"model": build_model("bbsnet", fusion="rgb", seed=0, device="cpu").network.state_dict()}, path)
    assert load_model("bbsnet", weights=path, fusion="rgb", device="cpu").inputs == ("rgb",)
    for other in (None, "early", "depth"):
        with pytest.raises(WeightsError, match=r"weights are for fusion rgb \(\d+ keys differ\); use --fusion rgb"):
            load_model("bbsnet", weights=path, fusion=other, device="cpu")


def test_a_stream_of_d3net_takes_its_official_names() -> None:
    names = hollow_network(with_fusion(MODELS["d3net.paper"], "rgb")).state_dict().keys()
    assert names == hollow_network(MODELS["d3net.paper"]).get_submodule("rgbnet").state_dict().keys()


def test_one_input_cannot_be_dropped(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--modality-dropout takes one of two inputs away; bbsnet-rgb reads rgb alone"):
        train("bbsnet", fusion="rgb", data="scenes:2@32x32", val="scenes:2@32x32", iterations=1, device="cpu",
              modality_dropout=0.5, out=tmp_path)  # fmt: skip
