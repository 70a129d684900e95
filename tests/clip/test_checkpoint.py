"""Checkpoints: every published layout loads, and what would give wrong numbers silently is refused in one sentence."""

import argparse
import warnings
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

pytest.importorskip("open_clip")

from clip_tiny import SIDE, SIZES, VISUAL, WHOLE, prefixed, save_archive, tiny_model, tiny_network

from rgbdsod.clip import OpenClipModel, load_checkpoint, read_checkpoint
from rgbdsod.errors import UsageError, WeightsError

SILENT = "ignore:.*does not say its activation"
OTHER = 7
"""Seed of the weights in the files; the models that load them start from another."""


@pytest.fixture
def image() -> Tensor:
    return torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def model() -> OpenClipModel:
    return tiny_model()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "weights.pt"


def text(model: OpenClipModel) -> str:
    return model.text_fingerprint


@pytest.mark.filterwarnings(SILENT)
@pytest.mark.parametrize("layout", WHOLE)
def test_whole_models_are_loaded(model: OpenClipModel, path: Path, image: Tensor, layout: str) -> None:
    expected = tiny_model(OTHER)
    expected.network.logit_scale.data.fill_(4.5)
    if layout == "half precision":
        expected.network.load_state_dict({k: v.half().float() for k, v in expected.network.state_dict().items()})
    WHOLE[layout](expected.network, path)
    origin = load_checkpoint(model, path)
    assert origin.part == "all"
    assert model.fingerprint == expected.fingerprint
    assert torch.equal(model.embed(image), expected.embed(image))
    assert model.scale == pytest.approx(90.017, rel=1e-4), "the scale is read anew"
    assert len(origin.sha256) == 64


@pytest.mark.filterwarnings(SILENT)
@pytest.mark.parametrize("layout", VISUAL)
def test_image_encoders_are_loaded_and_nothing_else_changes(
    model: OpenClipModel, path: Path, image: Tensor, layout: str
) -> None:
    expected, before = tiny_model(OTHER), text(model)
    VISUAL[layout](expected.network, path)
    origin = load_checkpoint(model, path)
    assert origin.part == "visual"
    assert torch.equal(model.embed(image), expected.embed(image))
    assert text(model) == before != text(expected)


@pytest.mark.parametrize(
    ("layout", "words"),
    [
        ("OpenAI archive", "OpenAI archive (TorchScript)"),
        ("open_clip state dict", "state dict of a whole model"),
        ("open_clip training", 'state dict of a whole model under "state_dict"'),
        ("TeCoA", 'image encoder under "vision_encoder_state_dict"'),
        ("FARE", "bare state dict of an image encoder"),
    ],
)
def test_the_layout_is_told(path: Path, layout: str, words: str) -> None:
    (WHOLE | VISUAL)[layout](tiny_network(), path)
    assert read_checkpoint(path).origin.layout == words


def test_foreign_safetensors_are_read(model: OpenClipModel, tmp_path: Path) -> None:
    path = tmp_path / "open_clip_model.safetensors"
    save_file(tiny_network(OTHER).state_dict(), path, {"format": "pt"})
    assert load_checkpoint(model, path, activation="quickgelu").activation == "quickgelu"
    assert model.fingerprint == tiny_model(OTHER).fingerprint


@pytest.mark.parametrize(("quick", "activation"), [(True, "quickgelu"), (False, "gelu")])
def test_an_archive_says_its_activation(path: Path, quick: bool, activation: str) -> None:
    save_archive(tiny_network(quick_gelu=quick), path)
    assert read_checkpoint(path).origin.activation == activation


def test_an_archive_under_the_other_activation_is_refused(path: Path) -> None:
    save_archive(tiny_network(), path)
    with pytest.raises(WeightsError, match=r'trained with quickgelu, but tiny computes with gelu.*as "tiny-quickgelu"'):
        load_checkpoint(tiny_model(name="tiny", quick_gelu=False), path)


def test_openais_plain_state_dict_says_its_activation(path: Path) -> None:
    sizes = SIZES | {"vocab_size": torch.tensor(49408)}
    torch.save(tiny_network().state_dict() | sizes, path)
    with pytest.raises(WeightsError, match="trained with quickgelu"):
        load_checkpoint(tiny_model(quick_gelu=False), path)


@pytest.mark.parametrize("quick", [True, False])
def test_an_unknown_activation_is_warned_of(path: Path, quick: bool) -> None:
    torch.save(tiny_network().visual.state_dict(), path)
    with pytest.warns(UserWarning, match="does not say its activation") as caught:
        assert load_checkpoint(tiny_model(quick_gelu=quick), path).activation is None
    assert caught[0].filename == __file__


def test_a_stated_activation_is_believed_and_held_against_the_model(model: OpenClipModel, path: Path) -> None:
    torch.save(tiny_network().visual.state_dict(), path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load_checkpoint(model, path, activation="quickgelu").activation == "quickgelu"
    with pytest.raises(WeightsError, match="trained with gelu"):
        load_checkpoint(model, path, activation="gelu")
    with pytest.raises(UsageError, match='no activation "relu"; use gelu or quickgelu'):
        load_checkpoint(model, path, activation="relu")


def test_a_stated_activation_must_not_contradict_the_file(model: OpenClipModel, path: Path) -> None:
    save_archive(tiny_network(), path)
    with pytest.raises(UsageError, match='says its activation is quickgelu; leave activation="gelu" out'):
        load_checkpoint(model, path, activation="gelu")


@pytest.mark.filterwarnings(SILENT)
def test_another_architecture_is_named(model: OpenClipModel, path: Path) -> None:
    before = model.fingerprint
    torch.save(tiny_network(width=48, layers=3).state_dict(), path)
    message = (
        r"does not fit tiny-quickgelu: \d+ are unexpected \(visual.transformer.resblocks.2.*\d+ have another shape "
        r"\(visual.class_embedding is 48, expected 32.*looks like a vision transformer of width 48, patch 8, 3 blocks, "
        "side 32"
    )
    with pytest.raises(WeightsError, match=message):
        load_checkpoint(model, path)
    assert model.fingerprint == before, "a refused file changes nothing"


@pytest.mark.filterwarnings(SILENT)
def test_open_clips_name_of_another_architecture_is_found(model: OpenClipModel, path: Path) -> None:
    shapes = {"conv1.weight": (1024, 3, 14, 14), "positional_embedding": (257, 1024), "proj": (1024, 768)}
    state = {name: torch.zeros(shape, dtype=torch.float16) for name, shape in shapes.items()}
    blocks = {f"transformer.resblocks.{i}.ln_1.bias": torch.zeros(1) for i in range(24)}
    torch.save(state | blocks, path)
    with pytest.raises(
        WeightsError, match=r"looks like ViT-L-14 or ViT-L-14-quickgelu .*; load the model as that architecture"
    ):
        load_checkpoint(model, path)


@pytest.mark.filterwarnings(SILENT)
def test_a_residual_network_is_recognised(model: OpenClipModel, path: Path) -> None:
    torch.save(tiny_network(layers=(1, 1, 1, 1), width=8, head_width=8).visual.state_dict(), path)
    with pytest.raises(WeightsError, match="looks like a residual network"):
        load_checkpoint(model, path)


@pytest.mark.filterwarnings(SILENT)
def test_missing_names_are_shown(model: OpenClipModel, path: Path) -> None:
    state = tiny_network().visual.state_dict()
    del state["ln_post.weight"]
    torch.save(state, path)
    with pytest.raises(WeightsError, match=r"1 of \d+ keys are missing \(ln_post.weight\)"):
        load_checkpoint(model, path)


@pytest.mark.filterwarnings(SILENT)
def test_weights_that_are_no_numbers_are_refused(model: OpenClipModel, path: Path) -> None:
    state = tiny_network().visual.state_dict()
    state["proj"][0, 0] = torch.nan
    torch.save(state, path)
    with pytest.raises(WeightsError, match=r"NaN or infinity \(first: proj\)"):
        load_checkpoint(model, path)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ({"state_dict": {"pad_up": torch.ones(3)}}, "pad_up"),
        ({"epoch": 3}, "epoch"),
        ([1, 2], "list"),
        ({"module.layer.weight": torch.ones(2)}, "layer.weight"),
        ({"vision_encoder_state_dict": {}}, "nothing"),
    ],
)
def test_files_without_an_encoder_are_refused(path: Path, content: Any, found: str) -> None:
    torch.save(content, path)
    with pytest.raises(WeightsError, match=rf"no image encoder of a known layout \(found: {found}"):
        read_checkpoint(path)


def test_a_visual_prompt_beside_the_encoder_is_told(path: Path) -> None:
    visual = tiny_network().visual.state_dict()
    torch.save({"state_dict": {"module.pad_up": torch.ones(3)}, "vision_encoder_state_dict": visual}, path)
    with pytest.warns(UserWarning, match=r"visual prompt \(module.pad_up\), which is not applied"):
        read_checkpoint(path)


def test_pickled_code_is_not_run(path: Path) -> None:
    torch.save({"vision_encoder_state_dict": {}, "args": argparse.Namespace(lr=1)}, path)
    with pytest.raises(WeightsError, match=r"holds pickled code \(argparse.Namespace\), which is not run"):
        read_checkpoint(path)


def rewritten(path: Path, change: dict[str, bytes]) -> None:
    """The same zip file with other bytes for some of its members."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, change.get(name.partition("/")[2], content))


def test_code_in_an_archive_is_not_run(path: Path) -> None:
    save_archive(tiny_network(), path)
    rewritten(path, {"data.pkl": b"\x80\x02cos\nsystem\n(X\x05\x00\x00\x00falsetR."})
    with pytest.raises(WeightsError, match=r"holds pickled code \(os.system\), which is not run"):
        read_checkpoint(path)


def test_damaged_archives_are_refused(path: Path) -> None:
    save_archive(tiny_network(), path)
    rewritten(path, {"data/0": b"12"})
    with pytest.raises(WeightsError, match=r"is a damaged archive .*; download it again"):
        read_checkpoint(path)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(WeightsError, match="is damaged or no checkpoint"):
        read_checkpoint(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no weights file"):
        read_checkpoint(tmp_path / "x.pt")


def test_prefixes_in_any_order(path: Path) -> None:
    visual = tiny_network().visual.state_dict()
    torch.save(prefixed("model.module.", visual), path)
    assert read_checkpoint(path).state.keys() == visual.keys()
