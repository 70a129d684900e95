"""Models by name: the built-in ones with their weights, the published ones with a user's checkpoint, a user's own."""

from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import torch
from torch import nn

from rgbdsod.errors import UsageError, WeightsError
from rgbdsod.models.base import Card, SaliencyModel
from rgbdsod.models.checkpoint import State, file_hash, read_state, verify
from rgbdsod.models.device import resolve_device
from rgbdsod.models.fitting import Fit, check_finite, fit
from rgbdsod.models.fusions import told_apart, untrained_note, variant_of, with_fusion
from rgbdsod.models.table import MODELS, ModelRow
from rgbdsod.models.user_model import is_user_model, user_model

Weights = str | Path | Mapping[str, str | Path]
"""A checkpoint file, a folder of them, or files by the part of the network that each fills."""

_BACKBONES = {"resnet101": "ResNet101", "resnet50": "ResNet50", "vgg16": "VGG16", "densenet161": "DenseNet161"}


def load_model(
    name: str,
    weights: Weights | None = None,
    fusion: str | None = None,
    encoder: str | None = None,
    device: str = "auto",
) -> SaliencyModel:
    """A model by name, with weights, in evaluation mode.

    Args:
        name: a name of `rgbdsod list models`, or "FILE.py:function" for a function that returns a `SaliencyModel` or
            a torch module (which is then wrapped with the defaults of `wrap`).
        weights: a checkpoint (.safetensors, .pth, .pt, ...; for D3Net the folder of its three files). None is the
            built-in weights; a published network (`.paper`) has none and is then untrained.
        fusion: where the modalities meet: "early", "feature" or "multistage", or "rgb" or "depth" alone; of a U-Net a
            name of `rgbdsod.fusion.FUSIONS`. None is the published one. Built-in weights are for that one only; another
            fusion without `weights` is untrained, and its card says so.
        encoder: another encoder: of a published network, such as "vgg16" for `jldcf.paper`; of a small one, any
            ResNet of timm, with weights trained for it.
        device: "auto", "cpu", "cuda", "cuda:N" or "mps".

    Raises:
        UsageError: an unknown name, encoder or fusion. WeightsError: weights that are missing, damaged or of another
            network. DeviceError: the device is not here.

    Example:
        >>> from rgbdsod import load_model
        >>> load_model("jldcf.paper", encoder="vgg16", device="cpu").inputs
        ('rgb', 'depth')
    """
    place = resolve_device(device)
    if is_user_model(name):
        if fusion or encoder:
            raise UsageError(f"{name}: fusion and encoder are for built-in models; choose them in your function")
        model = user_model(name)
        if weights is not None:
            _fill(model.network, weights, name)
    else:
        model = _known_model(MODELS[name], row_of(name, fusion, encoder), weights)
    return model.to(place).eval()


def build_model(
    name: str,
    *,
    fusion: str | None = None,
    encoder: str | None = None,
    seed: int | None = None,
    device: str = "auto",
) -> SaliencyModel:
    """An untrained model by name, in training mode.

    Args:
        name: a name of `rgbdsod list models`.
        fusion: as for `load_model`.
        encoder: as for `load_model`; for a small network any ResNet of timm.
        seed: of the first values; None draws them from torch's generator. Either way that generator's state is put
            back afterwards.
        device: as for `load_model`.
    """
    return _built(row_of(name, fusion, encoder), seed).to(resolve_device(device))


def _built(row: ModelRow, seed: int | None, note: str = "") -> SaliencyModel:
    """The model of a row with its first values."""
    with torch.random.fork_rng(devices=[]):
        if seed is not None:
            torch.manual_seed(seed)
        network = built_network(row)
    return _adapter(row, network, "its builder" if row.pretrained else "untrained", note=note)


def row_of(name: str, fusion: str | None, encoder: str | None) -> ModelRow:
    """The row of a name, with the encoder and the fusion that are asked for."""
    return with_fusion(_with_encoder(MODELS[name], encoder), fusion)


def _with_encoder(row: ModelRow, encoder: str | None) -> ModelRow:
    """The row of the same network on another encoder."""
    if encoder is None or encoder == row.options.get("encoder"):
        return row
    if encoder in row.encoders:
        return MODELS[row.encoders[encoder]]
    if row.encoders or "encoder" not in row.options:
        raise UsageError(f'{row.name} exists with encoder {", ".join(row.encoders) or "its own"}; got "{encoder}"')
    options = {**row.options, "encoder": encoder}
    return replace(row, name=f"{variant_of(row)}-{encoder}", canonical="", options=options, asset=None)


def built_network(row: ModelRow) -> nn.Module:
    """The network of a row with values from torch's generator."""
    module, _, function = row.builder.rpartition(":")
    network: nn.Module = getattr(import_module(module), function)(**row.options)
    return network


def _adapter(
    row: ModelRow, network: nn.Module, source: str, files: tuple[Path, ...] = (), note: str = ""
) -> SaliencyModel:
    """The row's preprocessing around a network, with the record of its weights."""
    card = Card(
        name=_name(row, source, files),
        architecture=row.architecture,
        source=source,
        sha256=file_hash(*files) if files else None,
        bytes=sum(file.stat().st_size for file in files) if files else None,
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        fusion=row.fusion,
        paper=row.paper if row.paper.arxiv else None,
        licence=row.licence if source == "built in" else "",
        note=row.note if source == "built in" else note,
    )
    return SaliencyModel(
        network,
        row.inputs,
        card,
        size=row.size,
        multiple=row.multiple,
        probability=row.probability,
        align_corners=row.align_corners,
    )


def _name(row: ModelRow, source: str, files: tuple[Path, ...]) -> str:
    """The full name; other weights in a built-in network get a name of their own, since a name means its weights."""
    if row.asset is None or source in ("built in", "untrained"):
        return row.full_name
    return f"{row.architecture}:{files[0].stem}"


def _known_model(base: ModelRow, row: ModelRow, weights: Weights | None) -> SaliencyModel:
    """The model of a row, which is its base with the encoder and the fusion that are asked for."""
    if isinstance(weights, str) and f"{row.architecture}.{weights}" in MODELS and not Path(weights).exists():
        tagged = MODELS[f"{row.architecture}.{weights}"]
        if tagged.full_name != row.full_name:
            raise UsageError(f'weights "{weights}" are another network; use --model {tagged.name}')
        weights = None
    if weights is not None:
        return _with_file(row, weights)
    if base.asset is not None and row.options.get("encoder") != base.options.get("encoder"):
        raise UsageError(
            f"{row.name} has no built-in weights; pass weights=FILE, trained for encoder {row.options['encoder']}"
        )
    if row.asset_file is None:
        return _built(row, seed=0, note=untrained_note(base.name, row.fusion) if base.asset is not None else "")
    if row.sha256 is None or row.bytes is None or not row.asset_file.is_file():
        raise WeightsError(
            f"{row.full_name}: the built-in weights are not in this installation; in a checkout run: make weights"
        )
    verify(row.asset_file, row.full_name, row.sha256, row.bytes, "install rgbdsod again")
    return _filled(row, read_state(row.asset_file), "built in", (row.asset_file,))


def _with_file(row: ModelRow, weights: Weights) -> SaliencyModel:
    """The network of a row with a user's checkpoint."""
    if isinstance(weights, Mapping) or Path(weights).is_dir():
        files = _part_files(row, weights)
        parts = {part: _part_state(row, part, file) for part, file in files.items()}
        state = {f"{part}.{key}": value for part, tensors in parts.items() for key, value in tensors.items()}
        return _filled(row, state, ", ".join(map(str, files.values())), tuple(files.values()))
    path = Path(weights)
    if not path.exists():
        raise WeightsError(
            f'no weights "{weights}" for {row.name}: there is no such file; pass the path of a checkpoint'
        )
    return _filled(row, read_state(path), str(path), (path,))


def _filled(row: ModelRow, state: State, source: str, files: tuple[Path, ...]) -> SaliencyModel:
    """The row's network with exactly these tensors."""
    network = hollow_network(row)
    fitted = fit(state, network.state_dict())
    if fitted.differences:
        raise WeightsError(_whose(row, state, fitted) or f"{source} does not fit {row.name}: {fitted.describe()}")
    check_finite(fitted.state, source)
    network.load_state_dict(fitted.state, assign=True)
    return _adapter(row, network, source, files)


def _fill(network: nn.Module, weights: Weights, name: str) -> None:
    """Load a checkpoint into a user's network."""
    if isinstance(weights, Mapping):
        raise UsageError(f"{name} takes one checkpoint file; got several")
    fitted = fit(read_state(Path(weights)), network.state_dict())
    if fitted.differences:
        raise WeightsError(f"{weights} does not fit {name}: {fitted.describe()}")
    check_finite(fitted.state, str(weights))
    network.load_state_dict(fitted.state)


def hollow_network(row: ModelRow) -> nn.Module:
    """The row's network, to be filled; without memory where all of its values are known to be in its state dict."""
    with torch.random.fork_rng(devices=[]), torch.device("meta" if row.own else "cpu"):
        return built_network(row)


def _whose(row: ModelRow, state: State, fitted: Fit) -> str | None:
    """Which model's weights these are, in a sentence; None if they fit none."""
    for fusion in told_apart(row):
        other = replace(row, options={**row.options, "fusion": fusion})
        if not fit(state, hollow_network(other).state_dict()).differences:
            return f"weights are for fusion {fusion} ({fitted.differences} keys differ); use --fusion {fusion}"
    for other in MODELS:
        if other.canonical or not other.own:
            continue
        network = hollow_network(other)
        if not fit(state, network.state_dict()).differences:
            sisters = other.architecture == row.architecture and bool(other.encoders and row.encoders)
            whose = f"a {_BACKBONES[other.options['encoder']]} backbone" if sisters else other.name
            return f"weights are for {whose} ({fitted.differences} keys differ); use --model {other.name}"
        for part in other.parts:
            if not fit(state, network.get_submodule(part).state_dict()).differences:
                needed = ", ".join(other.parts.values())
                return f"weights are for one of the streams of {other.name}; pass the folder that holds {needed}"
    return None


def _part_files(row: ModelRow, weights: Weights) -> dict[str, Path]:
    """The file of each part of a network that has several."""
    if not row.parts:
        raise WeightsError(f"{weights} is a folder; {row.name} takes one checkpoint file")
    if isinstance(weights, Mapping):
        given = {Path(key).stem.lower(): Path(path) for key, path in weights.items()}
        place = "the mapping"
    else:
        given = {path.stem.lower(): path for path in sorted(Path(weights).iterdir())}
        place = str(weights)
    lacking = [file for part, file in row.parts.items() if part not in given]
    if lacking:
        raise WeightsError(
            f"{', '.join(lacking)} not found in {place}; {row.name} needs {', '.join(row.parts.values())}"
        )
    return {part: given[part] for part in row.parts}


def _part_state(row: ModelRow, part: str, file: Path) -> State:
    """One part's tensors under its own names."""
    state = read_state(file)
    fitted = fit(state, hollow_network(row).get_submodule(part).state_dict())
    if fitted.differences:
        raise WeightsError(f"{file} does not fit {part} of {row.name}: {fitted.describe()}")
    return fitted.state
