"""Tiny models of open_clip's own classes, and checkpoint files in the layouts of published projects."""

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import open_clip
import torch
from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg, CustomTextCLIP
from torch import Tensor, nn

from rgbdsod.clip import NORMALIZATIONS, OpenClipModel

SIDE, GRID, WIDTH, HEADS, CONTEXT = 32, 4, 16, 2, 16
TEXTS = ["This is a photo of a cat", "This is a photo of a red square on a blue background"]


def tiny_network(
    seed: int = 0, *, quick_gelu: bool = True, kind: type[nn.Module] = CLIP, width: int = 32, **vision: Any
) -> nn.Module:
    """An open_clip model with random weights, about 2 million numbers of which are word vectors."""
    sizes = {"layers": 2, "width": width, "head_width": 16, "patch_size": SIDE // GRID, "image_size": SIDE} | vision
    torch.manual_seed(seed)
    text = CLIPTextCfg(context_length=CONTEXT, vocab_size=49408, width=32, heads=2, layers=1)
    network: nn.Module = kind(WIDTH, CLIPVisionCfg(**sizes), text, quick_gelu=quick_gelu)
    return network.eval()


def tiny_model(seed: int = 0, *, name: str = "tiny-quickgelu", normalization: str = "clip", **options: Any) -> Any:
    """The same behind our interface."""
    tokenizer = open_clip.SimpleTokenizer(context_length=CONTEXT)
    return OpenClipModel(tiny_network(seed, **options), tokenizer, name=name, normalization=normalization).eval()


def normalised(image: Tensor, name: str = "clip") -> Tensor:
    """What an encoder of that name sees."""
    mean, std = (torch.tensor(colour)[:, None, None] for colour in NORMALIZATIONS[name])
    return (image - mean) / std


def attention_pooled() -> nn.Module:
    """As CoCa's image encoder."""
    return tiny_network(attentional_pool=True, attn_pooler_queries=3, attn_pooler_heads=2)


def mean_pooled() -> nn.Module:
    """As SigLIP's: no class token is used."""
    return tiny_network(kind=CustomTextCLIP, pool_type="avg", final_ln_after_pool=True)


def residual() -> nn.Module:
    """As CLIP's RN50."""
    return tiny_network(layers=(1, 1, 1, 1), width=8, head_width=8)


def save_archive(network: nn.Module, path: Path) -> None:
    """The TorchScript form of OpenAI's files."""
    image, text = torch.zeros(1, 3, SIDE, SIDE), torch.zeros(1, CONTEXT, dtype=torch.int64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace(network, (image, text), check_trace=False), path)


def _saved(arrange: Callable[[dict[str, Tensor], dict[str, Tensor]], Any]) -> Callable[[nn.Module, Path], None]:
    def save(network: nn.Module, path: Path) -> None:
        torch.save(arrange(dict(network.state_dict()), dict(network.visual.state_dict())), path)

    return save


def prefixed(prefix: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The names with something in front."""
    return {prefix + name: value for name, value in state.items()}


SIZES = {name: torch.tensor(number) for name, number in (("input_resolution", SIDE), ("context_length", CONTEXT))}

WHOLE: dict[str, Callable[[nn.Module, Path], None]] = {
    "OpenAI archive": save_archive,
    "open_clip state dict": _saved(lambda whole, _: whole),
    "open_clip training": _saved(lambda whole, _: {"epoch": 3, "name": "x", "state_dict": prefixed("module.", whole)}),
    "whole model under model": _saved(lambda whole, _: {"model": whole, "optimizer": {"param_groups": []}}),
    "half precision": _saved(lambda whole, _: {k: v.half() for k, v in whole.items()}),
    "scale as a vector": _saved(lambda whole, _: whole | {"logit_scale": whole["logit_scale"].reshape(1)}),
}
VISUAL: dict[str, Callable[[nn.Module, Path], None]] = {
    "TeCoA": _saved(
        lambda _, visual: {
            "epoch": 9,
            "state_dict": {},
            "best_acc1": torch.tensor(40.0),
            "vision_encoder_state_dict": visual,
        }
    ),
    "PMG-AFT": _saved(lambda _, visual: {"vision_encoder_state_dict": prefixed("module.", visual), "optimizer": {}}),
    "FARE": _saved(lambda _, visual: visual),
    "FARE in training": _saved(lambda _, visual: prefixed("module.model.", visual)),
    "visual part of a whole": _saved(lambda _, visual: prefixed("visual.", visual)),
}
