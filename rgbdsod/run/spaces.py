"""The space in which an attack on a network that reads HHA has its budget."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from torch import Tensor

from rgbdsod.datasets import Dataset, DepthScale, Sample
from rgbdsod.errors import UsageError
from rgbdsod.models import SaliencyModel, ThroughDepth, reads_hha
from rgbdsod.models.unet_hha import ThroughHha
from rgbdsod.run.attack_settings import AttackSettings
from rgbdsod.run.hha_input import is_metric, sample_encoder
from rgbdsod.run.threats import Eps

Space = Literal["hha", "depth", "metric"]

WORDS = {
    "hha": "the three HHA channels of the file, which no depth map need give",
    "depth": "depth in [0, 1], through the encoding",
    "metric": "depth in metres, through the encoding",
}


@dataclass(frozen=True, eq=False)
class ChosenSpace:
    """Where the budget of an attack on a network that reads HHA lies.

    Args:
        name: "hha", "depth" or "metric".
        encoding: the camera, scale and gravity in use, for records.
        metric: the HHA is of known distances and a known camera; otherwise it is pseudo-HHA.
        metres: radii of depth as they were given, for "metric".
    """

    name: Space
    encoding: Mapping[str, Any]
    metric: bool
    metres: tuple[float, ...] = ()

    @property
    def words(self) -> str:
        """The space in a sentence of a page's head."""
        kind = "HHA" if self.metric else "pseudo-HHA (camera or distances assumed)"
        return f"{WORDS[self.name]}; {kind}, {self.encoding['scale']}"

    def settings(self) -> dict[str, Any]:
        """What a command line would say of it."""
        return {"space": self.name} | ({"eps_depth": list(self.metres)} if self.metres else {})

    def record(self) -> dict[str, Any]:
        """The entry of run.json."""
        found = {"space": self.name, "words": self.words, "metric": self.metric, **self.encoding}
        return found | ({"eps_metres": list(self.metres)} if self.metres else {})


def in_space(
    model: SaliencyModel, data: Dataset, settings: AttackSettings
) -> tuple[SaliencyModel, AttackSettings, ChosenSpace | None]:
    """The model that is attacked in the space that the settings name, the settings for it, and the space.

    Args:
        model: any; a space is chosen only where it reads HHA. One that takes depth through an encoding of its own (a
            `ThroughDepth`, a `unet` of HHA) keeps that.
        data: the images; the camera and scale of the first count for all that state none.
        settings: `space`, `modality`, `eps` and `norm` are read.

    Raises:
        UsageError: the model reads no HHA, the space does not exist, or metres are not known.
    """
    if settings.space is not None:
        model = _opened(model, data, settings.space)
    given = model if isinstance(model, ThroughDepth) else None
    if given is None and "hha" not in model.inputs:
        if settings.space is not None:
            inputs = ", ".join(model.inputs)
            raise UsageError(f"--space {settings.space} is for models that read hha; {model.name} has inputs {inputs}")
        return model, settings, None
    name = settings.space or ("hha" if given is None else "depth")
    if name not in get_args(Space):
        raise UsageError(f'--space "{name}": expected {", ".join(get_args(Space))}')
    known = given is not None or is_metric(data[0])
    through = given or ThroughDepth(model, sample_encoder(data[0]))
    chosen = ChosenSpace(name, through.record(), known and through.record()["camera"] != "assumed")  # type: ignore[arg-type]
    if name == "hha":
        if given is not None:
            raise UsageError(f"--space hha: {model.name} takes depth; pass the model that it was made from")
        return model, settings, chosen
    settings = replace(settings, modality="depth" if settings.modality == "hha" else settings.modality)
    if name == "depth":
        return through, settings, chosen
    scale = through.encoder.scale
    if scale is None or not known:
        raise UsageError(
            f"--space metric needs metres and a camera, which {data.name} does not state; give it camera = "
            '[fx, fy, cx, cy], depth_unit = "mm" and depth_range in rgbdsod.toml, or take --space depth'
        )
    metres, eps = _in_metres(settings, scale)
    return through, replace(settings, eps=eps, norm="linf"), replace(chosen, metres=metres)


def of_batch(
    model: SaliencyModel, ready: SaliencyModel, samples: Sequence[Sample], inputs: Mapping[str, Tensor], valid: Tensor
) -> tuple[SaliencyModel, SaliencyModel]:
    """The model that is measured and the one that is attacked, for one batch.

    Through the encoding of depth these are the exact encoding, with gravity found anew, and the differentiable one,
    with gravity of the clean depth; any other model is both.

    Args:
        model: measured; ready: attacked.
        samples: of the batch.
        inputs: clean, (B,C,H,W).
        valid: (B,1,H,W), where depth was measured.

    Raises:
        UsageError: a sample states another camera or scale than the model encodes with.
    """
    if not isinstance(model, ThroughDepth) or not isinstance(ready, ThroughDepth):
        return model, ready
    for sample in samples:
        _check_encoding(model, sample)
    measured = valid > 0
    return model.exact(measured), ready.held(inputs["depth"], measured)


def _opened(model: SaliencyModel, data: Dataset, space: str) -> SaliencyModel:
    """A network that encodes depth inside as one that reads HHA, or that takes depth through the same encoding."""
    if not isinstance(model.network, ThroughHha):
        return model
    reader = reads_hha(model)
    if space != "hha":
        return ThroughDepth(reader, model.network.encoder)
    if data[0].camera is not None or data[0].scale is not None:
        raise UsageError(
            f"{model.name} makes pseudo-HHA, but {data.name} states a camera or metres, so its channels would be "
            "others; take --space depth, or pass reads_hha(model) to attack the channels of those data"
        )
    return reader


def _check_encoding(model: ThroughDepth, sample: Sample) -> None:
    """Refuse a sample whose own camera or scale is another than the model encodes with."""
    camera, scale = model.encoder.camera, model.encoder.scale
    assumed = camera is None or isinstance(camera, str)
    same_camera = sample.camera is None or (not assumed and bool((np.asarray(camera) == sample.camera).all()))
    if not same_camera or sample.scale not in (None, scale):
        raise UsageError(
            f"id {sample.id} has another camera or another scale of depth than the encoding in use; attack the images "
            "of one camera at a time, or take --space hha"
        )


def _in_metres(settings: AttackSettings, scale: DepthScale) -> tuple[tuple[float, ...], Eps]:
    """The radii of depth in metres as they were given, and all radii in units of the [0, 1] inputs."""
    if settings.norm not in (None, "linf"):
        raise UsageError(f"--space metric bounds the largest change in metres; leave out --norm {settings.norm}")
    own = dict(settings.eps) if isinstance(settings.eps, Mapping) else {"depth": settings.eps}
    if not isinstance(settings.eps, Mapping) and settings.modality != "depth":
        raise UsageError("--space metric: --eps would be metres for depth alone; pass --modality hha, or --eps-depth")
    radii = own.get("depth")
    if radii is None:
        raise UsageError("--space metric has no usual radius; give --eps-depth in metres, such as --eps-depth 0.05")
    metres = (float(radii),) if isinstance(radii, (int, float)) else tuple(float(radius) for radius in radii)
    return metres, {**own, "depth": tuple(scale.share(radius) for radius in metres)}  # type: ignore[dict-item]
