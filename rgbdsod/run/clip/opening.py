"""The dual encoder of a run: which architecture, which weights, and what they were tuned from."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from rgbdsod.clip import ClipModel, Origin, load_checkpoint, load_clip, load_open_clip
from rgbdsod.errors import UsageError, WeightsError

BUILT_IN = ("clip.demo", "clip")
"""Names of the small dual encoder."""

_DEMO = "clip.demo is a small model of generated glyphs: not comparable with published numbers"


@dataclass(frozen=True)
class DualEncoder:
    """A model that is ready to run.

    Args:
        model: in evaluation mode, on its device.
        origin: of weights that were read from a file; None for built-in and random ones.
        original: weights of the image encoder before tuning, where they were asked for.
    """

    model: ClipModel
    origin: Origin | None = None
    original: Mapping[str, Tensor] | None = None

    @property
    def note(self) -> str | None:
        """What to know before comparing a number; None if nothing."""
        if self.model.name in BUILT_IN:
            return _DEMO
        return None if self.origin is not None else f"{self.model.name} has random weights: its numbers mean nothing"

    def record(self) -> dict[str, Any]:
        """What run.json says about the model."""
        origin = self.origin
        weights = list(self.model.network.parameters())
        return {
            "name": self.model.name,
            "architecture": self.model.name,
            "source": self._source(),
            "sha256": self.model.fingerprint,
            "bytes": sum(weight.numel() * weight.element_size() for weight in weights),
            "parameters": sum(weight.numel() for weight in weights),
            "activation": self.model.activation,
            "normalization": self.model.normalization,
            "method": (origin.method if origin is not None else "") or None,
            "tuning": dict(origin.settings) if origin is not None else {},
            "paper": None,
            "licence": None,
            "note": self.note,
        }

    def _source(self) -> str:
        if self.origin is not None:
            return f"{self.origin.path}, {self.origin.layout}"
        return "built in" if self.model.name in BUILT_IN else "random weights"


def open_dual_encoder(
    name: str = "clip.demo",
    weights: str | Path | None = None,
    original: str | Path | None = None,
    *,
    activation: str | None = None,
    normalization: str = "clip",
    device: str = "auto",
    keep_original: bool = False,
) -> DualEncoder:
    """Load a dual encoder; nothing is fetched.

    Args:
        name: "clip.demo", or an architecture of open_clip.
        weights: a file: both encoders, or a tuned image encoder; None: the built-in weights, or `original`.
        original: of a tuned image encoder, the file of the whole model that it was tuned from; for clip.demo the
            built-in weights, which "clip.demo" names too.
        activation: "gelu" or "quickgelu", for a file that does not say.
        normalization: "clip" or "imagenet".
        device: see `rgbdsod.clip.load_clip`.
        keep_original: keep the image encoder's weights before tuning, for an interpolation.

    Raises:
        UsageError: settings that do not fit together. WeightsError: a file that does not fit; see `load_checkpoint`.
    """
    if keep_original and weights is None:
        raise UsageError("--interpolate leads from --original to tuned weights; pass --weights FILE")
    if keep_original and original is None and name not in BUILT_IN:
        raise UsageError(f"--interpolate needs the weights that {weights} was tuned from; pass --original FILE")
    if name in BUILT_IN:
        model, first = _built_in(original, activation, normalization, device), None
    else:
        model, first = _of_open_clip(name, weights, original, activation, normalization, device)
    kept = None
    if keep_original:
        kept = {key: value.detach().clone() for key, value in model.visual.state_dict().items()}
    if weights is None or (first is not None and original is None):
        return DualEncoder(model, first, kept)
    return DualEncoder(model, load_checkpoint(model, weights, activation=activation), kept)


def _built_in(original: str | Path | None, activation: str | None, normalization: str, device: str) -> ClipModel:
    model = load_clip(BUILT_IN[0], device=device)
    if normalization != model.normalization:
        raise UsageError(f"--normalization {normalization}: {BUILT_IN[0]} was trained with {model.normalization}")
    if original is not None and str(original) not in BUILT_IN:
        load_checkpoint(model, original, activation=activation)
    return model


def _of_open_clip(
    name: str,
    weights: str | Path | None,
    original: str | Path | None,
    activation: str | None,
    normalization: str,
    device: str,
) -> tuple[ClipModel, Origin | None]:
    """A whole model of open_clip, and where its weights come from."""
    if original is not None and str(original) in BUILT_IN:
        raise UsageError(f"--original {original} is no {name}; pass the file that --weights was tuned from")
    model = load_open_clip(name, None, normalization=normalization, device=device)
    file = original if original is not None else weights
    if file is None:
        return model, None
    origin = load_checkpoint(model, file, activation=activation)
    if origin.part == "visual":
        raise WeightsError(
            f"{file} holds an image encoder alone; pass the whole model that it was tuned from as --original FILE"
        )
    return model, origin
