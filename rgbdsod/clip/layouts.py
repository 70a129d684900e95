"""The layouts of published CLIP checkpoints: which one a file has, and where its weights are."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from rgbdsod.clip.archive import is_archive, read_archive
from rgbdsod.errors import WeightsError
from rgbdsod.foreign.documents import parse_json
from rgbdsod.foreign.files import plain, reason
from rgbdsod.foreign.tensors import read_header
from rgbdsod.models.checkpoint import file_hash, plain_tensors, read_content

FORMAT = "rgbdsod-clip-1"
"""Of the safetensors files that `save_checkpoint` writes."""

VISION_KEY = "vision_encoder_state_dict"
_NESTED = 4  # containers in containers
_CONTAINERS = ("state_dict", "model", "model_state_dict")
_PREFIXES = ("module.", "_orig_mod.", "model.", "network.", "visual.")
_SIZES = ("input_resolution", "context_length", "vocab_size")  # stored beside the weights in OpenAI's archives


@dataclass(frozen=True)
class Origin:
    """Where weights come from, as a run records it.

    Args:
        path: the file.
        sha256: of the file.
        layout: which layout it has, in words.
        part: "visual" for an image encoder alone, "all" for both encoders.
        activation: "gelu" or "quickgelu" where the file or the user says it, otherwise None.
        method: how it was tuned, "" if the file does not say.
        settings: of that tuning; empty if the file does not say.
    """

    path: Path
    sha256: str
    layout: str
    part: str
    activation: str | None = None
    method: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Checkpoint:
    """A file's weights.

    Args:
        state: tensors by name; of an image encoder alone without "visual." in front.
        origin: where they come from.
        claims: what one of our own files says about itself; empty for a foreign one.
    """

    state: Mapping[str, Tensor]
    origin: Origin
    claims: Mapping[str, str] = field(default_factory=dict)


def read_checkpoint(path: str | Path) -> Checkpoint:
    """Read a checkpoint of any known layout; nothing in it is run.

    Known are: what `save_checkpoint` wrote; OpenAI's archives; the state dict of a whole model, also under "state_dict"
    or "model"; an image encoder under "vision_encoder_state_dict" (TeCoA, PMG-AFT, TGA-ZSR); an image encoder's bare
    state dict (FARE). The prefixes "module.", "model." and "visual." are understood in each.

    Args:
        path: a local file.

    Raises:
        WeightsError: the file is missing, damaged, holds code, or no encoder.
    """
    path = Path(path)
    if is_archive(path):
        archive = read_archive(path)
        state, layout = _encoders(path, archive.state), "OpenAI archive (TorchScript)"
        return _checkpoint(path, state, layout, archive.activation)
    content = read_content(path)
    claims = _claims(path)
    if claims:
        return Checkpoint(content, _own_origin(path, claims), claims)
    if isinstance(content, Mapping) and isinstance(content.get(VISION_KEY), Mapping):
        _warn_of_prompt(path, content)
        return _checkpoint(path, _encoders(path, content[VISION_KEY]), f'image encoder under "{VISION_KEY}"')
    where = ""
    for _ in range(_NESTED):
        known = _CONTAINERS if isinstance(content, Mapping) else ()
        key = next((key for key in known if isinstance(content.get(key), Mapping)), None)
        if key is None:
            break
        content, where = content[key], f' under "{key}"'
    is_openai = isinstance(content, Mapping) and set(_SIZES) <= content.keys()
    state = _encoders(path, content)
    kind = "state dict of a whole model" if _is_whole(state) else "bare state dict of an image encoder"
    return _checkpoint(path, state, kind + where, "quickgelu" if is_openai else None)


def _checkpoint(path: Path, state: dict[str, Tensor], layout: str, activation: str | None = None) -> Checkpoint:
    part = "all" if _is_whole(state) else "visual"
    return Checkpoint(state, Origin(path, file_hash(path), layout, part, activation))


def _is_whole(state: Mapping[str, Tensor]) -> bool:
    return any(name.startswith("visual.") for name in state)


def _encoders(path: Path, content: Any) -> dict[str, Tensor]:
    """The tensors without the prefixes that all of them share, and without what is no weight."""
    state = plain_tensors(path, content)
    while state and (prefix := next((p for p in _PREFIXES if all(name.startswith(p) for name in state)), None)):
        state = {name.removeprefix(prefix): value for name, value in state.items()}
    weights = {k: v for k, v in state.items() if k not in _SIZES and k.rpartition(".")[2] != "attn_mask"}
    if not any(name.removeprefix("visual.").startswith(("conv1.", "trunk.")) for name in weights):
        names = list(weights) or (list(content) if isinstance(content, Mapping) else [type(content).__name__])
        found = plain(", ".join(str(name) for name in names[:3])) or "nothing"
        raise WeightsError(f"{path} holds no image encoder of a known layout (found: {found}); pass a CLIP checkpoint")
    return weights


def _warn_of_prompt(path: Path, content: Mapping[str, Any]) -> None:
    """TeCoA's files keep a learned frame of pixels beside the encoder; it is not part of the encoder."""
    prompt = content.get("state_dict")
    if isinstance(prompt, Mapping) and any(isinstance(v, Tensor) and bool(v.any()) for v in prompt.values()):
        warnings.warn(
            f"{path} also holds a visual prompt ({next(iter(prompt))}), which is not applied: results are those of its "
            "image encoder alone",
            stacklevel=4,
        )


def _claims(path: Path) -> dict[str, str]:
    """The metadata of one of our own files, empty for any other."""
    if path.suffix != ".safetensors":
        return {}
    try:
        metadata = read_header(path)
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path} is damaged ({reason(error)}); copy it again") from error
    return dict(metadata) if metadata.get("format") == FORMAT else {}


def _own_origin(path: Path, claims: Mapping[str, str]) -> Origin:
    try:
        return Origin(
            path=path,
            sha256=file_hash(path),
            layout=f"rgbdsod checkpoint ({claims['method']} of {claims['architecture']})",
            part="visual",
            activation=claims["activation"],
            method=claims["method"],
            settings=dict(parse_json(claims["settings"])),
        )
    except (KeyError, ValueError, TypeError) as error:
        lacking = f"{path} lacks part of its description ({reason(error)})"
        raise WeightsError(f"{lacking}; write it with save_checkpoint") from error
