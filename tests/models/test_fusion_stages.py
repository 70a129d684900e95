"""Each architecture with each fusion: the same outputs in parts, gradients, training, and what may not change."""

from collections.abc import Mapping
from itertools import product

import pytest
import torch
from torch import Tensor, nn

from rgbdsod.errors import UsageError
from rgbdsod.models.bbsnet import bbsnet_paper, bbsnet_small
from rgbdsod.models.d3net import d3net_paper, d3net_small
from rgbdsod.models.jldcf import jldcf_paper, jldcf_small
from rgbdsod.models.losses import training_loss
from rgbdsod.models.stages import fused_stages
from rgbdsod.models.zoo import build_model, load_model
from rgbdsod.types import StagedNetwork

SMALL = {"bbsnet": bbsnet_small, "jldcf": jldcf_small, "d3net": d3net_small}
PAPER = {"bbsnet": bbsnet_paper, "jldcf": jldcf_paper, "d3net": d3net_paper}
PUBLISHED = {"bbsnet": "multistage", "jldcf": "multistage", "d3net": "early"}
FUSIONS = ("early", "feature", "multistage")
NINE = pytest.mark.parametrize(("name", "fusion"), list(product(SMALL, FUSIONS)))


def made(name: str, fusion: str) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return SMALL[name](fusion=fusion)  # type: ignore[operator]


def some_inputs(name: str, batch: int = 2, height: int = 64, width: int = 96) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    depth = torch.rand(batch, 1, height, width, generator=generator)
    rgb = torch.randn(batch, 3, height, width, generator=generator)
    return {"rgb": rgb, "depth": depth.expand(-1, 3, -1, -1) if name == "jldcf" else depth}


def in_parts(network: nn.Module, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return network.fuse({name: network.encode(name, x) for name, x in inputs.items()})  # type: ignore[operator]


def decoder_shapes(name: str, network: nn.Module) -> dict[str, tuple[int, ...]]:
    """What must not differ between fusions."""
    parts = {
        "bbsnet": ("rfb", "agg", "agant", "deconv", "out2"),
        "jldcf": ("JLModule.CP", "FA", "upsampling", "score"),
        "d3net": ("rgbdnet.main_stream.toplayer", "rgbdnet.main_stream.decoders", "rgbdnet.pred", "rgbnet", "depthnet"),
    }[name]
    return {key: tuple(value.shape) for key, value in network.state_dict().items() if key.startswith(parts)}


@NINE
def test_parts_give_the_full_result_and_are_not_changed(name: str, fusion: str) -> None:
    network, inputs = made(name, fusion).eval(), some_inputs(name)
    assert isinstance(network, StagedNetwork)
    with torch.no_grad():
        full = network(*inputs.values())
        kept = {key: network.encode(key, x) for key, x in inputs.items()}
        for _ in range(2):
            partial = network.fuse(kept)
            for key, value in full.items():
                torch.testing.assert_close(partial[key], value, rtol=0, atol=1e-5)
        turned = {**inputs, "depth": inputs["depth"].flip(-1)}
        other = network.fuse({**kept, "depth": network.encode("depth", turned["depth"])})
        torch.testing.assert_close(other["final"], network(*turned.values())["final"], rtol=0, atol=1e-5)
        assert not torch.equal(other["final"], full["final"])


@NINE
def test_gradients_reach_both_inputs_and_only_their_sample(name: str, fusion: str) -> None:
    network = made(name, fusion).eval()
    inputs = {key: x.clone().requires_grad_() for key, x in some_inputs(name).items()}
    final = network(*inputs.values())
    logits = final.get("logit", final["final"])
    for gradient in torch.autograd.grad(logits[0].square().sum(), list(inputs.values())):
        assert gradient[0].abs().sum() > 0
        assert gradient[1].abs().sum() == 0


@NINE
def test_every_weight_is_trained(name: str, fusion: str) -> None:
    network, inputs = made(name, fusion).train(), some_inputs(name, 2, 64, 64)
    mask = torch.zeros(2, 1, 64, 64)
    mask[..., 16:48, 8:40] = 1
    loss = training_loss(name)(network(*inputs.values()), mask)
    assert loss.shape == (2,)
    gradients = torch.autograd.grad(loss.sum(), list(network.parameters()), allow_unused=True)
    assert [n for (n, _), g in zip(network.named_parameters(), gradients, strict=True) if g is None] == []


@NINE
def test_the_decoder_is_that_of_the_published_fusion(name: str, fusion: str) -> None:
    def shapes(other: str) -> dict[str, tuple[int, ...]]:
        found = decoder_shapes(name, made(name, other))
        # In D3Net early fusion is RgbdNet's own first convolution, which is no part of the decoder.
        return {key: shape for key, shape in found.items() if "backbone" not in key}

    assert shapes(fusion) == shapes(PUBLISHED[name])
    assert len(shapes(fusion)) > 20


@pytest.mark.parametrize("name", SMALL)
def test_the_default_is_the_published_fusion(name: str) -> None:
    assert made(name, PUBLISHED[name]).state_dict().keys() == SMALL[name]().state_dict().keys()  # type: ignore[operator]


@pytest.mark.parametrize(("name", "fusion"), list(product(PAPER, FUSIONS)))
def test_published_sizes_are_built_in_each_fusion(name: str, fusion: str) -> None:
    with torch.device("meta"):
        network = PAPER[name](fusion=fusion).eval()  # type: ignore[operator]
        inputs = some_inputs_on_meta(name)
        outputs = network(*inputs)
    assert outputs["final"].shape == (1, 1, 64, 64)
    if name != "d3net":
        assert (
            sum(p.numel() for p in network.parameters())
            <= sum(
                p.numel()
                for p in PAPER[name]("resnet101" if name == "jldcf" else "multistage").parameters()  # type: ignore[operator]
            )
            + 10_000
        )


def some_inputs_on_meta(name: str) -> tuple[Tensor, Tensor]:
    return torch.empty(1, 3, 64, 64), torch.empty(1, 3 if name == "jldcf" else 1, 64, 64)


def test_feature_fusion_meets_once_at_stride_8() -> None:
    assert fused_stages("feature", (2, 4, 8, 16, 32)) == fused_stages("feature", (4, 4, 8, 16, 32)) == (2,)
    assert fused_stages("feature", (1, 2, 4, 8, 16)) == (3,)
    assert fused_stages("multistage", (2, 4, 8, 16, 32)) == (0, 1, 2, 3, 4)
    network, inputs = made("bbsnet", "feature").eval(), some_inputs("bbsnet")
    assert [x.shape[-1] for x in network.encode("rgb", inputs["rgb"])] == [24, 24, 12]
    assert [x.shape[-1] for x in network.encode("depth", inputs["depth"])] == [12]
    assert not hasattr(network.resnet_depth, "layer3")


def test_encoders_that_alignment_compares() -> None:
    for name, fusion in product(SMALL, FUSIONS):
        network, inputs = made(name, fusion).eval(), some_inputs(name)
        if fusion == "early" and name != "d3net":
            with pytest.raises(UsageError, match="with early fusion has no separate encoders of RGB and depth"):
                network.streams()
            continue
        maps = [stream(x.expand(-1, 3, -1, -1) if name == "d3net" else x)[-1] for stream, x in
                zip(network.streams().values(), inputs.values(), strict=True)]  # fmt: skip
        assert maps[0].shape == maps[1].shape


@pytest.mark.parametrize("name", SMALL)
def test_a_fusion_that_does_not_exist_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match='has fusion early, feature, multistage, rgb, depth; got "late"'):
        made(name, "late")


@pytest.mark.parametrize(("name", "multiple"), [("bbsnet", 32), ("jldcf", 16)])
@pytest.mark.parametrize("fusion", FUSIONS)
def test_odd_sizes_are_refused(name: str, multiple: int, fusion: str) -> None:
    with pytest.raises(UsageError, match=f"multiples of {multiple}, but got 50x66; resize to"):
        made(name, fusion)(*some_inputs(name, 1, 50, 66).values())


@pytest.mark.parametrize("fusion", FUSIONS)
def test_d3net_takes_odd_sizes(fusion: str) -> None:
    assert made("d3net", fusion).eval()(*some_inputs("d3net", 1, 75, 101).values())["final"].shape == (1, 1, 75, 101)


@NINE
def test_the_zoo_builds_it(name: str, fusion: str) -> None:
    model = build_model(name, fusion=fusion, seed=0, device="cpu").eval()
    assert model.card.fusion == fusion
    published = fusion == PUBLISHED[name]
    assert model.name == (f"{name}.demo" if published else f"{name}-{fusion}")
    inputs = {"rgb": torch.rand(1, 3, 70, 90), "depth": torch.rand(1, 1, 70, 90)}
    with torch.no_grad():
        logits = model(**inputs)
        parts = model.fuse({key: model.encode(key, x) for key, x in inputs.items()}, (70, 90))
    torch.testing.assert_close(logits, parts, rtol=0, atol=1e-4)


def test_a_network_without_weights_for_its_fusion_says_so() -> None:
    model = load_model("bbsnet", fusion="early", device="cpu")
    assert (model.card.source, model.name) == ("untrained", "bbsnet-early")
    assert model.card.note == (
        "untrained: there are no built-in weights for fusion early; train them with rgbdsod train --model bbsnet "
        "--fusion early, then pass --weights"
    )
    assert load_model("bbsnet", fusion="multistage", device="cpu").card.source == "built in"
    assert load_model("d3net.paper", fusion="feature", device="cpu").card.note == ""


def test_weights_of_another_fusion_are_recognised(tmp_path) -> None:
    path = tmp_path / "early.pt"
    torch.save({"model": build_model("jldcf", fusion="early", seed=0, device="cpu").network.state_dict()}, path)
    with pytest.raises(Exception, match=r"weights are for fusion early \(.* keys differ\); use --fusion early"):
        load_model("jldcf", weights=path, device="cpu")
    assert load_model("jldcf", weights=path, fusion="early", device="cpu").card.fusion == "early"
