"""Models by name, with built-in weights, a user's checkpoint, or a user's own network."""

import json
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
import torch
from models_official_golden import load_fill
from torch import Tensor, nn

from rgbdsod.errors import UsageError, WeightsError
from rgbdsod.models import table
from rgbdsod.models.checkpoint import save_asset
from rgbdsod.models.losses import training_loss
from rgbdsod.models.table import MODELS
from rgbdsod.models.zoo import build_model, load_model


def hollow(network: nn.Module, prefix: str = "") -> dict[str, Tensor]:
    """Zeros of a network's shapes that take no room in a file."""
    return {prefix + name: torch.zeros((), dtype=v.dtype).expand(v.shape) for name, v in network.state_dict().items()}


def skeleton(name: str) -> nn.Module:
    """The network of a row, without values."""
    module, function = MODELS[name].builder.split(":")
    with torch.device("meta"):
        network: nn.Module = getattr(import_module(module), function)(**MODELS[name].options)
    return network


@pytest.fixture
def assets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Built-in weights of the test's own making, for `jldcf`."""
    monkeypatch.setattr(table, "ASSETS", tmp_path)
    record = save_asset(build_model("jldcf", seed=3, device="cpu"), tmp_path / "jldcf.safetensors")
    (tmp_path / "jldcf.json").write_text(json.dumps(record))
    yield tmp_path


def same(first: nn.Module, second: nn.Module) -> bool:
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    return all(torch.equal(a.cpu(), b.cpu()) for a, b in pairs)


def failure(name: str, **options: object) -> str:
    """The message with which loading fails."""
    with pytest.raises((UsageError, WeightsError)) as error:
        load_model(name, device="cpu", **options)  # type: ignore[arg-type]
    return str(error.value)


# Names


def test_unknown_names_get_a_hint() -> None:
    assert failure("bbs-net") == 'no model "bbs-net"; did you mean "bbsnet"? (rgbdsod list models)'
    with pytest.raises(UsageError, match="no model"):
        build_model("bbs-net")


def test_encoders_and_fusion() -> None:
    assert failure("jldcf.paper", encoder="vgg19") == (
        'jldcf.paper exists with encoder resnet101, resnet50, vgg16, densenet161; got "vgg19"'
    )
    assert "jldcf.paper-vgg16 exists with encoder vgg16" in failure("jldcf.paper-vgg16", encoder="resnet50")
    assert failure("bbsnet", fusion="late") == 'bbsnet has fusion early, feature, multistage, rgb, depth; got "late"'
    assert failure("unet", fusion="feature").startswith("unet has fusion rgb, depth, early4, early6, mid, late, multi")
    assert build_model("d3net", fusion="early", device="cpu").card.fusion == "early"
    assert "pass weights=FILE, trained for encoder resnet18" in failure("jldcf", encoder="resnet18")
    other = build_model("jldcf", encoder="resnet14t", device="cpu")
    assert other.name == "jldcf-resnet14t"
    assert other.card.parameters > build_model("jldcf", device="cpu").card.parameters


@pytest.mark.parametrize("name", ["bbsnet.paper", "d3net.paper"])
def test_published_networks_are_built_untrained(name: str) -> None:
    model = load_model(name, device="cpu")
    assert (model.name, model.size, model.card.source) == (name, MODELS[name].size, "untrained")
    assert (model.card.sha256, model.card.note, model.card.licence) == (None, "", "")
    assert model.card.paper is MODELS[name].paper
    assert not any(module.training for module in model.modules())
    assert all(value.device.type == "cpu" for value in model.state_dict().values())


def test_an_encoder_is_another_row() -> None:
    model = load_model("jldcf.paper", encoder="vgg16", device="cpu")
    assert model.name == "jldcf.paper-vgg16"
    assert "JLModule.backbone.layers.0.weight" in model.network.state_dict()


# Building


def test_a_seed_gives_the_same_values_and_torchs_generator_is_put_back() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, second = (build_model("jldcf", seed=1, device="cpu") for _ in range(2))
    assert torch.equal(torch.get_rng_state(), before)
    assert same(first, second)
    assert not same(first, build_model("jldcf", seed=2, device="cpu"))
    assert first.network.training


def test_each_architecture_has_a_training_loss() -> None:
    for row in MODELS:
        assert callable(training_loss(row.architecture))


# Built-in weights


def test_built_in_weights_are_checked_and_loaded(assets: Path) -> None:
    model = load_model("jldcf", device="cpu")
    original = build_model("jldcf", seed=3, device="cpu")
    for name, value in model.network.state_dict().items():
        assert torch.equal(value, original.network.state_dict()[name].to(torch.float16).to(value.dtype))
    assert {value.dtype for value in model.network.state_dict().values()} == {torch.float32, torch.int64}
    assert model.name == "jldcf.demo"
    assert (model.card.source, model.card.sha256) == ("built in", MODELS["jldcf"].sha256)
    assert model.card.note == "demo weights: not comparable with published numbers"
    assert not model.training
    assert same(model, load_model("jldcf.demo", device="cpu"))
    assert same(model, load_model("jldcf", weights="demo", device="cpu"))


def test_changed_built_in_weights_are_refused(assets: Path) -> None:
    path = assets / "jldcf.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])
    message = failure("jldcf")
    assert message.startswith("jldcf.demo: sha256 is ")
    assert message.endswith("MB); install rgbdsod again")


def test_missing_built_in_weights_are_named(assets: Path) -> None:
    (assets / "jldcf.json").unlink()
    assert failure("jldcf") == (
        "jldcf.demo: the built-in weights are not in this installation; in a checkout run: make weights"
    )


def test_weights_of_other_tags_and_missing_files() -> None:
    assert failure("jldcf", weights="paper") == 'weights "paper" are another network; use --model jldcf.paper'
    assert 'no weights "none.pth" for bbsnet.paper: there is no such file' in failure(
        "bbsnet.paper", weights="none.pth"
    )


# A user's checkpoint


def test_an_official_file_gives_the_official_network(shared: Path, tmp_path: Path) -> None:
    from rgbdsod.models.bbsnet import bbsnet_paper

    official = load_fill(shared).fill(bbsnet_paper())
    path = tmp_path / "BBSNet.pth"
    torch.save({f"module.{name}": value for name, value in official.state_dict().items()}, path)
    model = load_model("bbsnet.paper", weights=path, device="cpu")
    assert same(model.network, official)
    assert (model.card.source, model.card.bytes) == (str(path), path.stat().st_size)
    assert len(model.card.sha256 or "") == 64
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_a_checkpoint_of_a_small_network_is_loaded(tmp_path: Path) -> None:
    trained = build_model("jldcf", seed=7, device="cpu")
    path = tmp_path / "best.pt"
    torch.save({"model": trained.network.state_dict(), "progress": {"iteration": 3}}, path)
    assert same(load_model("jldcf", weights=path, device="cpu"), trained)
    torch.save(trained.state_dict(), path)
    assert same(load_model("jldcf", weights=str(path), device="cpu"), trained)


def test_weights_of_another_encoder_are_recognised(tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    torch.save(hollow(skeleton("jldcf.paper-vgg16")), path)
    message = failure("jldcf.paper", weights=path)
    # Names but for BatchNorm's counters, and the first compression of the three levels whose widths differ.
    assert message == "weights are for a VGG16 backbone (553 keys differ); use --model jldcf.paper-vgg16"


def test_weights_of_another_network_are_recognised(tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    torch.save({"model": hollow(skeleton("bbsnet.paper"), "module.")}, path)
    for name in ("jldcf.paper", "bbsnet"):
        message = failure(name, weights=path)
        assert message.startswith("weights are for bbsnet.paper (")
        assert message.endswith(" keys differ); use --model bbsnet.paper")


def test_weights_of_no_known_network_are_compared(tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    state = hollow(skeleton("bbsnet.paper"))
    del state["out2_conv.bias"]
    torch.save(state, path)
    assert failure("bbsnet.paper", weights=path) == (
        f"{path} does not fit bbsnet.paper: 1 of 1385 keys are missing (out2_conv.bias)"
    )


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    state = hollow(skeleton("bbsnet.paper"))
    state["out2_conv.bias"] = torch.tensor([float("inf")])
    torch.save(state, path)
    assert "1 of 1385 tensors hold NaN or infinity (first: out2_conv.bias)" in failure("bbsnet.paper", weights=path)


# The three files of D3Net


@pytest.fixture(scope="module")
def streams(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("d3net")
    network = skeleton("d3net.paper")
    for value, (part, file) in enumerate(MODELS["d3net.paper"].parts.items()):
        state = {name: tensor + value for name, tensor in hollow(network.get_submodule(part)).items()}
        state = {name: tensor.mean().expand(tensor.shape) for name, tensor in state.items()}
        torch.save({"model": state, "current_epoch": 3}, folder / file)
    return folder


def check_streams(weights: object) -> None:
    model = load_model("d3net.paper", weights=weights, device="cpu")  # type: ignore[arg-type]
    for value, part in enumerate(("rgbnet", "rgbdnet", "depthnet")):
        assert {float(p.detach().mean()) for p in model.network.get_submodule(part).parameters()} == {value}
    assert len(model.card.sha256 or "") == 64


def test_a_folder_or_a_mapping_fills_the_streams(streams: Path) -> None:
    check_streams(streams)
    check_streams({file: streams / file for file in ("RgbNet.pth", "RgbdNet.pth", "DepthNet.pth")})
    names = ("RgbNet", "RgbdNet", "DepthNet")
    check_streams({name.lower(): str(streams / f"{name}.pth") for name in names})


def test_a_combined_file_fills_the_streams(streams: Path, tmp_path: Path) -> None:
    path = tmp_path / "all.pth"
    parts = {part: torch.load(streams / file)["model"] for part, file in MODELS["d3net.paper"].parts.items()}
    torch.save({f"{part}.{name}": v for part, state in parts.items() for name, v in state.items()}, path)
    check_streams(path)


def test_one_stream_alone_or_an_incomplete_folder_is_explained(streams: Path, tmp_path: Path) -> None:
    message = failure("d3net.paper", weights=streams / "RgbdNet.pth")
    assert message == (
        "weights are for one of the streams of d3net.paper; pass the folder that holds "
        "RgbNet.pth, RgbdNet.pth, DepthNet.pth"
    )
    (tmp_path / "RgbNet.pth").symlink_to(streams / "RgbNet.pth")
    assert failure("d3net.paper", weights=tmp_path) == (
        f"RgbdNet.pth, DepthNet.pth not found in {tmp_path}; d3net.paper needs RgbNet.pth, RgbdNet.pth, DepthNet.pth"
    )
    assert "is a folder; bbsnet.paper takes one checkpoint file" in failure("bbsnet.paper", weights=tmp_path)
    swapped = {
        "RgbNet": streams / "RgbdNet.pth",
        "RgbdNet": streams / "RgbNet.pth",
        "DepthNet": streams / "DepthNet.pth",
    }
    assert "does not fit rgbnet of d3net.paper: 1 have another shape" in failure("d3net.paper", weights=swapped)
