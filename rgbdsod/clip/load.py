"""`load_clip`: the built-in dual encoder, or any of open_clip's from a local file."""

import json
from pathlib import Path

import torch

from rgbdsod.clip.checkpoint import load_checkpoint
from rgbdsod.clip.encoder import ClipModel
from rgbdsod.clip.openclip import load_open_clip
from rgbdsod.clip.small import SmallClip, SmallNetwork
from rgbdsod.errors import WeightsError
from rgbdsod.models.checkpoint import read_state, verify
from rgbdsod.models.device import resolve_device

BUILT_IN = "clip.demo"
ASSET = Path(__file__).parent / "assets" / "clip.safetensors"


def load_clip(name: str = BUILT_IN, weights: str | Path | None = None, device: str = "auto") -> ClipModel:
    """A dual encoder in evaluation mode; nothing is fetched.

    Args:
        name: "clip.demo", the small built-in one, or an architecture of open_clip, such as "ViT-B-32-quickgelu" (with
            the extra rgbdsod[clip]).
        weights: a local checkpoint, see `rgbdsod.clip.load_checkpoint`. None is the built-in weights, and for an
            architecture of open_clip random ones.
        device: "auto", "cpu", "cuda", "cuda:N" or "mps".

    Returns:
        The model; only its image encoder's parameters ask for gradients.

    Raises:
        UsageError: an unknown name, or one that needs an extra. WeightsError: weights that are missing, damaged or of
            another architecture. DeviceError: the device is not here.

    Example:
        >>> from rgbdsod.clip import load_clip
        >>> model = load_clip(device="cpu")
        >>> model.grid, model.width
        ((4, 4), 64)
    """
    if name not in (BUILT_IN, BUILT_IN.split(".", maxsplit=1)[0]):
        return load_open_clip(name, weights, device=device)
    place = resolve_device(device)
    model = built_in()
    if weights is not None:
        load_checkpoint(model, weights)
    return model.to(place).eval()


def built_in() -> SmallClip:
    """The small dual encoder with its built-in weights, on the CPU.

    Raises:
        WeightsError: they are not in this installation, or changed.
    """
    record = ASSET.with_suffix(".json")
    if not ASSET.is_file() or not record.is_file():
        raise WeightsError(f"{BUILT_IN}: the built-in weights are not in this installation; install rgbdsod again")
    facts = json.loads(record.read_text(encoding="utf-8"))
    verify(ASSET, BUILT_IN, facts["sha256"], facts["bytes"], "install rgbdsod again")
    with torch.random.fork_rng(devices=[]):
        network = SmallNetwork()
    network.load_state_dict(read_state(ASSET))
    return SmallClip(network)
