"""Loading by an architecture's name: local files only, seeded weights, a clear word for all that needs a network."""

import builtins
import copy
import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

open_clip = pytest.importorskip("open_clip")

from clip_tiny import CONTEXT, GRID, SIDE, TEXTS, WHOLE, WIDTH, normalised, tiny_network  # noqa: E402

from rgbdsod.clip import load_open_clip  # noqa: E402
from rgbdsod.errors import UsageError, WeightsError  # noqa: E402


@pytest.fixture
def image() -> Tensor:
    return torch.rand(3, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def tiny_config(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gives ViT-B-32-quickgelu the size of the tiny network, so that loading it by name takes no time."""
    vision = {"layers": 2, "width": 32, "head_width": 16, "patch_size": SIDE // GRID, "image_size": SIDE}
    text = {"context_length": CONTEXT, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1}
    config = {"embed_dim": WIDTH, "quick_gelu": True, "vision_cfg": vision, "text_cfg": text}
    monkeypatch.setattr(open_clip, "get_model_config", lambda _: copy.deepcopy(config))


@pytest.mark.usefixtures("tiny_config")
@pytest.mark.parametrize("layout", ["OpenAI archive", "open_clip state dict"])
@pytest.mark.filterwarnings("ignore:.*does not say its activation")
def test_load_by_name_from_a_local_file(tmp_path: Path, image: Tensor, layout: str) -> None:
    path = tmp_path / "weights.pt"
    network = tiny_network(5)
    WHOLE[layout](network, path)
    handlers = list(logging.getLogger().handlers)
    model = load_open_clip("ViT-B-32-quickgelu", path, device="cpu")
    assert torch.equal(model.embed(image), network.encode_image(normalised(image)))
    assert model.encode_text(TEXTS).shape == (2, WIDTH)
    assert {p.requires_grad for p in model.visual.parameters()} == {True}
    assert not any(p.requires_grad for n, p in model.network.named_parameters() if not n.startswith("visual."))
    assert not model.training
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert logging.getLogger().handlers == handlers, "loading must not set up logging"


@pytest.mark.usefixtures("tiny_config")
def test_random_weights_come_from_the_seed_and_leave_the_generator_alone() -> None:
    torch.manual_seed(3)
    state = torch.get_rng_state()
    first, second, other = (load_open_clip(device="cpu", seed=seed) for seed in (0, 0, 1))
    assert first.fingerprint == second.fingerprint != other.fingerprint
    assert torch.equal(torch.get_rng_state(), state)
    assert first.scale == pytest.approx(1 / 0.07)


@pytest.mark.usefixtures("tiny_config")
@pytest.mark.filterwarnings("ignore:.*does not say its activation")
def test_an_image_encoder_alone_makes_no_model(tmp_path: Path) -> None:
    path = tmp_path / "fare.pt"
    torch.save(tiny_network().visual.state_dict(), path)
    with pytest.raises(WeightsError, match="holds an image encoder alone; load the whole model"):
        load_open_clip(weights=path, device="cpu")


@pytest.mark.parametrize("tag", ["openai", "laion2b_s34b_b79k"])
def test_tags_are_refused(tag: str) -> None:
    with pytest.raises(UsageError, match=rf'"{tag}" is no local file.*weights="ViT-B-32.pt"'):
        load_open_clip("ViT-B-32-quickgelu", tag)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"no weights file .*ViT-B-32.pt"):
        load_open_clip("RN50-quickgelu", tmp_path / "ViT-B-32.pt", device="cpu")


def test_architectures_of_the_hub_and_misspelt_ones_are_refused() -> None:
    with pytest.raises(UsageError, match="would be fetched from the network"):
        load_open_clip("hf-hub:chs20/fare2-clip")
    with pytest.raises(UsageError, match=r'no architecture "ViT-B-23".*ViT-B-32'):
        load_open_clip("ViT-B-23")


@pytest.mark.parametrize("architecture", ["ViT-B-16-SigLIP", "roberta-ViT-B-32"])
def test_tokenizers_of_the_hub_are_refused(architecture: str) -> None:
    with pytest.raises(UsageError, match=r"tokenizer that is fetched.*OpenClipModel\(network, tokenizer"):
        load_open_clip(architecture)


def test_without_open_clip_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    original = builtins.__import__

    def absent(name: str, *arguments: Any, **options: Any) -> Any:
        if name == "open_clip":
            raise ImportError(name)
        return original(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(UsageError, match=r"pip install 'rgbdsod\[clip\]'"):
        load_open_clip()
