"""Fine-tuned checkpoints: write our own, load anybody's, and refuse what would give wrong numbers silently."""

import json
import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from rgbdsod.clip.architectures import looks_like, other_activation
from rgbdsod.clip.encoder import ClipModel, state_hash
from rgbdsod.clip.layouts import FORMAT, Checkpoint, Origin, read_checkpoint
from rgbdsod.errors import UsageError, WeightsError
from rgbdsod.models.checkpoint import State
from rgbdsod.models.fitting import check_finite, fit

ACTIVATIONS = ("gelu", "quickgelu")


def load_checkpoint(model: ClipModel, path: str | Path, *, activation: str | None = None) -> Origin:
    """Load a checkpoint of any known layout into a model, in place.

    Args:
        model: of the checkpoint's architecture; where the file holds an image encoder alone, the model keeps its text
            encoder and scale, so it must have been loaded with the weights that the checkpoint was tuned from.
        path: a local file; `read_checkpoint` lists the layouts.
        activation: "gelu" or "quickgelu" for a file that does not say what it was trained with.

    Returns:
        Where the weights come from, with the layout that was recognised.

    Raises:
        UsageError: `activation` contradicts the file.
        WeightsError: another architecture, activation, normalisation or text encoder; or see `read_checkpoint`.
    """
    checkpoint = read_checkpoint(path)
    origin = replace(checkpoint.origin, activation=_activation(model, checkpoint, activation))
    _check_claims(model, checkpoint)
    part = model.visual if origin.part == "visual" else model.network
    state = _fitted(model, checkpoint, part.state_dict())
    _check_text(model, checkpoint)
    if origin.part == "visual":
        part.load_state_dict(state)
    else:
        model.load_network(state)
    return origin


def save_checkpoint(model: ClipModel, path: str | Path, *, method: str, settings: Mapping[str, Any]) -> str:
    """Write a tuned image encoder, with what is needed to use it rightly.

    The text encoder is not written, since it never trains; its hash is, so that another one is refused.

    Args:
        model: the tuned model.
        path: of the new file, ending in .safetensors; replaced in one step.
        method: how it was tuned, such as "tecoa".
        settings: of the tuning, as far as JSON can say them.

    Returns:
        SHA-256 of the image encoder's weights.

    Raises:
        UsageError: `path` has another suffix, or a setting is no JSON.
    """
    path = Path(path)
    if path.suffix != ".safetensors":
        raise UsageError(f"{path} does not end in .safetensors; name the checkpoint {path.stem}.safetensors")
    state = {name: value.detach().cpu().contiguous() for name, value in model.visual.state_dict().items()}
    sha256 = state_hash(state)
    try:
        text = json.dumps(dict(settings), sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise UsageError(f"the settings of {path} cannot be written as JSON ({error}); pass plain values") from error
    claims = {
        "format": FORMAT,
        "architecture": model.name,
        "activation": model.activation,
        "normalization": model.normalization,
        "method": method,
        "settings": text,
        "visual_sha256": sha256,
        "text_sha256": model.text_fingerprint,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    save_file(state, temporary, claims)
    temporary.replace(path)
    return sha256


def _activation(model: ClipModel, checkpoint: Checkpoint, stated: str | None) -> str | None:
    """What the weights were trained with, as far as it is known.

    Weights of one activation load under the other without a word and give other numbers (open_clip issues 441, 915).
    """
    origin = checkpoint.origin
    if stated is not None and stated not in ACTIVATIONS:
        raise UsageError(f'no activation "{stated}"; use {" or ".join(ACTIVATIONS)}')
    if stated and origin.activation and stated != origin.activation:
        raise UsageError(f'{origin.path} says its activation is {origin.activation}; leave activation="{stated}" out')
    known = origin.activation or stated
    if known is None:
        warnings.warn(
            f"{origin.path} does not say its activation; {model.name} computes with {model.activation}, and the "
            "released checkpoints of TeCoA, PMG-AFT, TGA-ZSR and FARE need quickgelu; pass activation=... if known",
            stacklevel=3,
        )
    elif known != model.activation:
        right = checkpoint.claims.get("architecture") or other_activation(model.name)
        raise WeightsError(
            f"{origin.path} was trained with {known}, but {model.name} computes with {model.activation}, which would "
            f'change every number silently; load the model as "{right}"'
        )
    return known


def _check_claims(model: ClipModel, checkpoint: Checkpoint) -> None:
    """Refuse one of our own files that was changed, or tuned on pixels normalised otherwise."""
    path, claims = checkpoint.origin.path, checkpoint.claims
    if not claims:
        return
    if state_hash(checkpoint.state) != claims.get("visual_sha256"):
        raise WeightsError(f"{path} is not what was written (its tensors have another SHA-256); copy it again")
    if claims.get("normalization") != model.normalization:
        raise WeightsError(
            f"{path} was tuned with normalization {claims.get('normalization')}, but {model.name} has "
            f'{model.normalization}; load the model with normalization="{claims.get("normalization")}"'
        )


def _check_text(model: ClipModel, checkpoint: Checkpoint) -> None:
    """Refuse to join an image encoder with a text encoder that it was not tuned with."""
    if checkpoint.claims and checkpoint.claims.get("text_sha256") != model.text_fingerprint:
        raise WeightsError(
            f"{checkpoint.origin.path} was tuned from other weights than this {model.name} has (the text encoders "
            "differ); load the model from the weights that the tuning started from"
        )


def _fitted(model: ClipModel, checkpoint: Checkpoint, target: State) -> State:
    """The tensors in the model's shapes and types, or a refusal that says what they look like."""
    origin = checkpoint.origin
    state = {
        name: value.reshape(target[name].shape) if name in _NUMBERS and name in target else value
        for name, value in checkpoint.state.items()
    }
    fitted = fit(state, target)
    if fitted.differences:
        raise WeightsError(
            f"{origin.path} ({origin.layout}) does not fit {model.name}: {fitted.describe()}; it looks like "
            f"{looks_like(checkpoint.state)}; load the model as that architecture"
        )
    check_finite(fitted.state, str(origin.path))
    return fitted.state


_NUMBERS = ("logit_scale", "logit_bias")  # scalars in some releases, vectors of one entry in others
