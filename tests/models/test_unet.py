"""The neutral U-Net: parameter counts of the published table, equality in parts, protocols, and what is refused."""

import pytest
import torch
from torch import Tensor, nn

from rgbdsod.cli.sources import known_inputs
from rgbdsod.errors import UsageError
from rgbdsod.fusion import OPERATORS, PRESETS, FusionSpec
from rgbdsod.models.unet import Unet
from rgbdsod.models.unet_hha import reads_hha
from rgbdsod.models.unet_streams import build_unet, unet, unet_small
from rgbdsod.models.zoo import build_model
from rgbdsod.types import StagedNetwork

ALL = (1, 2, 3, 4, 5)
NARROW = {"encoder": "tu-resnet10t"}
SIZES = {"channels": (8, 8, 16, 16), "stem_width": 4, "decoder": (16, 16, 8, 8, 4)}

TABLE = {  # millions of parameters with ResNet-18, ResNet-34, ResNet-50
    "early, 4 channels": ({"levels": (0,)}, 14.33, 24.44, 32.52),
    "early, 6 channels": ({"levels": (0,), "depth": "hha"}, 14.34, 24.45, 32.53),
    "middle, sum": ({"levels": (3,), "op": "sum", "depth": "d3"}, 25.50, 45.72, 56.03),
    "late, sum": ({"levels": (5,), "op": "sum", "depth": "d3"}, 25.50, 45.72, 56.03),
    "multi, sum": ({"levels": ALL, "op": "sum", "depth": "d3"}, 25.50, 45.72, 56.03),
    "multi (2, 4, 5), concat": ({"levels": (2, 4, 5), "depth": "d3"}, 26.17, 46.38, 66.65),
    "multi (1..5), concat": ({"levels": ALL, "depth": "d3"}, 26.21, 46.43, 67.18),
    "multi, sum, siamese": ({"levels": ALL, "op": "sum", "siamese": True}, 14.33, 24.44, 32.52),
    "decision": ({"levels": (6,), "op": "mean", "depth": "d3"}, 28.66, 48.87, 65.04),
}

DESIGNS = {
    **PRESETS,
    "stream": FusionSpec((3,), flow="stream", op="sum"),
    "stream, three": FusionSpec((2, 4, 5), flow="stream", op="gate"),
    "siamese": FusionSpec((2, 4, 5), siamese=True),
    "own norms": FusionSpec((2, 4, 5), siamese=True, own_norms=True, op="mean"),
    "siamese stream": FusionSpec((3,), siamese=True, flow="stream", op="sum"),
    "siamese decision": FusionSpec((6,), siamese=True, op="gate"),
    "symmetric": FusionSpec((4,), symmetric=True, op="weighted"),
    "one channel": FusionSpec((1, 5), op="attention"),
    "hha": FusionSpec((4, 5), op="cross", depth="hha"),
    "experts": FusionSpec((4, 5), op="experts"),
    "queries": FusionSpec((4, 5), op="queries"),
}
EVERY = pytest.mark.parametrize("design", DESIGNS)


def millions(network: nn.Module) -> float:
    return round(sum(p.numel() for p in network.parameters()) / 1e6, 2)


def made(design: str, **options: object) -> Unet:
    spec = DESIGNS[design]
    narrow = FusionSpec(**{**{f: getattr(spec, f) for f in spec.__dataclass_fields__}, **NARROW})
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return build_unet(narrow, **{**SIZES, **options})  # type: ignore[arg-type]


def some_inputs(network: Unet, height: int = 64, width: int = 96) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    channels = {"rgb": 3, "depth": 1, "hha": 3}
    return {name: torch.rand(2, channels[name], height, width, generator=generator) for name in network.inputs}


@pytest.mark.parametrize("row", TABLE)
@pytest.mark.parametrize(("column", "encoder"), [(1, "resnet18"), (2, "resnet34"), (3, "resnet50")])
def test_parameters_are_those_of_the_published_table(row: str, column: int, encoder: str) -> None:
    with torch.device("meta"):
        network = build_unet(FusionSpec(**TABLE[row][0], encoder=encoder))  # type: ignore[arg-type]
    assert millions(network) == TABLE[row][column]


def test_protocols_hold_equal_what_they_say() -> None:
    two = ("mid", "late", "multi", "multi_all")
    with torch.device("meta"):
        a = {name: millions(unet(f"A:{name}")) for name in (*two, "early4", "rgb", "depth", "decision")}
        b = {name: millions(unet(f"B:{name}")) for name in (*two, "early4", "rgb")}
        c = {name: millions(unet(f"C:{name}")) for name in PRESETS}
        plain = {name: millions(unet(name)) for name in PRESETS}
    assert set(a.values()) == {14.33}
    assert {b[name] for name in two} == {25.5} and {b["early4"], b["rgb"]} == {24.44}
    assert c == plain


@EVERY
def test_parts_give_the_full_result(design: str) -> None:
    network = made(design).eval()
    inputs = some_inputs(network)
    assert isinstance(network, StagedNetwork)
    with torch.no_grad():
        full = network(*inputs.values())["final"]
        kept = {name: network.encode(name, x) for name, x in inputs.items()}
        for _ in range(2):
            torch.testing.assert_close(network.fuse(kept)["final"], full, rtol=0, atol=1e-5)
        for name in inputs:
            turned = {**inputs, name: inputs[name].flip(-1)}
            partial = network.fuse({**kept, name: network.encode(name, turned[name])})["final"]
            torch.testing.assert_close(partial, network(*turned.values())["final"], rtol=0, atol=1e-5)
    assert full.shape == (2, 1, 64, 96)


@EVERY
def test_gradients_reach_each_input(design: str) -> None:
    network = made(design).eval()
    inputs = {name: x.requires_grad_() for name, x in some_inputs(network).items()}
    for gradient in torch.autograd.grad(network(*inputs.values())["final"].square().sum(), list(inputs.values())):
        assert gradient.abs().sum() > 0


@pytest.mark.parametrize("design", ["mid", "multi", "stream"])
def test_a_trimmed_encoder_gives_the_same_with_fewer_parameters(design: str) -> None:
    whole, trimmed = made(design).eval(), made(design, trimmed=True).eval()
    fitting = {name: value for name, value in whole.state_dict().items() if name in trimmed.state_dict()}
    trimmed.load_state_dict(fitting)
    inputs = some_inputs(whole)
    with torch.no_grad():
        torch.testing.assert_close(trimmed(*inputs.values())["final"], whole(*inputs.values())["final"])
    assert (len(fitting) < len(whole.state_dict())) == (design != "multi")
    loss = trimmed.train()(*inputs.values())["final"].sum()
    assert None not in torch.autograd.grad(loss, list(trimmed.parameters()), allow_unused=True)


def test_levels_that_nothing_reads_are_not_run() -> None:
    network = made("mid").eval()
    x = some_inputs(network)
    assert (len(network.encode("rgb", x["rgb"])), len(network.encode("depth", x["depth"]))) == (5, 3)
    stream = made("stream").eval()
    assert len(stream.encode("rgb", x["rgb"])) == 3


def test_zero_filters_leave_the_rgb_network_for_any_depth() -> None:
    network = build_unet(FusionSpec((0,), **NARROW), init_extra="zero", **SIZES).eval()
    first, second = some_inputs(network), some_inputs(network)
    second["depth"] = 1 - second["depth"]
    with torch.no_grad():
        assert torch.equal(network(*first.values())["final"], network(*second.values())["final"])
        other = build_unet(FusionSpec((0,), **NARROW), **SIZES).eval()
        assert not torch.equal(other(*first.values())["final"], other(*second.values())["final"])


def test_own_norms_are_all_that_differs_in_a_siamese_encoder() -> None:
    network = made("own norms")
    optimiser = torch.optim.SGD(network.parameters(), lr=0.1)
    network.train()(*some_inputs(network).values())["final"].square().mean().backward()
    optimiser.step()
    again = made("own norms")
    again.load_state_dict({name: value.clone() for name, value in network.state_dict().items()}, assign=True)
    for one in (network, again):
        pairs = list(zip(one.encoder.named_modules(), one.depth_encoder.modules(), strict=True))
        for (_, first), second in pairs:
            shared = [a is b for a, b in zip(first._parameters.values(), second._parameters.values(), strict=True)]
            assert not any(shared) if isinstance(first, nn.BatchNorm2d) else all(shared)
    statistics = [name for name in network.state_dict() if "encoder" in name and name.endswith("running_mean")]
    assert not torch.equal(*(network.state_dict()[name] for name in statistics[:: len(statistics) // 2]))
    with torch.device("meta"):
        assert millions(build_unet(FusionSpec((5,), siamese=True, own_norms=True, op="sum"))) == 14.34


def test_decision_is_the_mean_of_two_networks() -> None:
    network = made("decision").eval()
    with torch.no_grad():
        outputs = network(*some_inputs(network).values())
    torch.testing.assert_close(outputs["final"], (outputs["rgb"] + outputs["depth"]) / 2)


def test_symmetric_reads_depth_at_every_level() -> None:
    network = made("symmetric").eval()
    kept = {name: network.encode(name, x) for name, x in some_inputs(network).items()}
    other = {"rgb": kept["rgb"], "depth": [kept["depth"][0] + 1, *kept["depth"][1:]]}
    assert not torch.equal(network.fuse(kept)["final"], network.fuse(other)["final"])


def test_a_frozen_pair_is_fused_by_one_or_two_percent() -> None:
    with torch.device("meta"):
        network = build_unet(FusionSpec((4, 5), op="queries", depth="d3"), frozen=True)
    trained = sum(p.numel() for p in network.parameters() if p.requires_grad)
    assert 0.01 < trained / sum(p.numel() for p in network.parameters()) < 0.02
    network = made("queries", frozen=True).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    loss = network(*some_inputs(network).values())["final"].square().mean()
    optimiser = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], lr=0.1)
    loss.backward()
    optimiser.step()
    changed = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    assert changed and all(name.startswith("operators.") for name in changed)


@pytest.mark.parametrize("encoder", ["mobilenet_v2", "vgg11", "tu-convnext_atto"])
def test_other_families_can_be_fused_beside_each_other(encoder: str) -> None:
    network = build_unet(FusionSpec((3, 5), op="sum", depth="d3", encoder=encoder), decoder=SIZES["decoder"]).eval()
    inputs = some_inputs(network, 32, 32)
    with torch.no_grad():
        parts = network.fuse({name: network.encode(name, x) for name, x in inputs.items()})
        torch.testing.assert_close(parts["final"], network(*inputs.values())["final"], rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"encoder": "resnet19"}, 'no encoder "resnet19" of five levels'),
        ({"encoder": "tu-vit_tiny_patch16_224"}, "no encoder .* of five levels .* such as resnet18"),
        ({"encoder": "tu-convnext_atto", "fusion": "multi_all"}, "has no level 1; it has levels 2, 3, 4, 5"),
        ({"fusion": "middle"}, 'no fusion "middle"'),
        ({"fusion": "early4", "trimmed": True}, "trimmed and frozen are for two encoders"),
        ({"encoder": "mobilenet_v2", "trimmed": True, "fusion": "mid"}, "runs only as a whole"),
    ],
)
def test_what_cannot_be_built_is_refused(options: dict[str, object], message: str) -> None:
    with torch.device("meta"), pytest.raises(UsageError, match=message):
        unet(**options)  # type: ignore[arg-type]


def test_wrong_inputs_are_refused() -> None:
    network = made("mid")
    with pytest.raises(UsageError, match=r"multiples of 32, but got 50x64; resize to 64x64, or pad 14 rows"):
        network(torch.rand(1, 3, 50, 64), torch.rand(1, 1, 50, 64))
    with pytest.raises(UsageError, match='reads 3 channels of "depth", but got 2'):
        network.encode("depth", torch.rand(1, 2, 64, 64))
    with pytest.raises(UsageError, match='such as tu-resnet10t, but got encoder "resnet34"'):
        unet_small(encoder="resnet34")


@pytest.mark.parametrize("fusion", [*PRESETS, "A:multi"])
def test_the_zoo_builds_every_preset(fusion: str) -> None:
    model = build_model("unet.small", fusion=fusion, seed=0, device="cpu").eval()
    assert model.inputs == ((fusion,) if fusion in ("rgb", "depth") else ("rgb", "depth"))
    inputs = {name: torch.rand(1, 1 if name == "depth" else 3, 40, 60) for name in model.inputs}
    with torch.no_grad():
        assert model(**inputs).shape == (1, 1, 40, 60)
    assert model.card.fusion == fusion


def test_the_zoo_builds_operators_by_name() -> None:
    model = build_model("unet.small", fusion="A:mid+gate", seed=0, device="cpu")
    assert (model.name, model.card.fusion) == ("unet.small-A:mid+gate", "A:mid+gate")
    assert model.network.spec == FusionSpec((3,), op="gate", depth="d3", siamese=True, encoder="tu-resnet10t")
    for fusion, message in (
        ("multi+add", 'no fusion operator "add"; there are attention, concat'),
        ("multi+cross", 'the operator "cross" works at levels 4, 5, but got level 2'),
        ("rgb+sum", 'in fusion "rgb" no two maps meet'),
        ("mult+sum", r"unet has fusion rgb, .* and with an operator where two maps meet \(multi\+gate\); got \"mult"),
    ):
        with pytest.raises(UsageError, match=message):
            known_inputs("unet", fusion)
    with pytest.raises(UsageError, match=r'bbsnet has fusion early, .*; got "multistage\+gate"'):
        known_inputs("bbsnet", "multistage+gate")


def test_a_network_of_hha_takes_depth_and_passes_its_gradient() -> None:
    network = unet_small("early6").eval()
    assert network.inputs == ("rgb", "depth") and network.network.inputs == ("rgb", "hha")
    rgb, depth = torch.rand(2, 3, 64, 64), (torch.rand(2, 1, 64, 64) * 0.2 + 0.4).requires_grad_()
    final = network(rgb, depth)["final"]
    parts = network.fuse({"rgb": network.encode("rgb", rgb), "depth": network.encode("depth", depth)})
    torch.testing.assert_close(parts["final"], final)
    assert torch.autograd.grad(final.square().sum(), depth)[0].abs().sum() > 0


def test_the_channels_of_hha_can_be_the_input() -> None:
    model = build_model("unet.small", fusion="early6", seed=0, device="cpu").eval()
    rgb, depth = torch.rand(1, 3, 128, 128), torch.rand(1, 1, 128, 128) * 0.2 + 0.4
    of_channels = reads_hha(model)
    assert of_channels.inputs == ("rgb", "hha")
    with torch.no_grad():
        expected = model(rgb=rgb, depth=depth)
        torch.testing.assert_close(of_channels(rgb=rgb, hha=model.network.encoder(depth)), expected)
    with pytest.raises(UsageError, match="reads no HHA; load one that does, such as unet with fusion early6"):
        reads_hha(build_model("unet.small", seed=0, device="cpu"))


def test_every_operator_is_used_above() -> None:
    used = {spec.op for spec in DESIGNS.values()} | {options.get("op", "concat") for options, *_ in TABLE.values()}
    assert used == set(OPERATORS.names())
