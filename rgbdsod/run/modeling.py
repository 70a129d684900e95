"""Model and data as a run sees them: by name or as they are, their records, and the inputs of some samples."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from rgbdsod.datasets import Dataset, Sample, collate, load_dataset
from rgbdsod.errors import UsageError
from rgbdsod.models import SaliencyModel, load_model
from rgbdsod.run.hha_input import hha_image

DTYPES = ("float32", "bfloat16", "float16")

_DATA_INPUTS = ("rgb", "depth")


def check_dtype(dtype: str) -> str:
    """The name of a type that a network can compute in."""
    if dtype not in DTYPES:
        raise UsageError(f'no dtype "{dtype}"; there are {", ".join(DTYPES)}')
    return dtype


def get_model(model: str | SaliencyModel, *, hha: bool = False) -> SaliencyModel:
    """A model by name, or as it is.

    Args:
        model: what was asked for.
        hha: whether it may read HHA, which is made from depth.

    Raises:
        UsageError: when it is none, or has inputs that a data set does not have.
    """
    if isinstance(model, str):
        model = load_model(model)
    if not isinstance(model, SaliencyModel):
        raise UsageError(f"model is a {type(model).__name__}; pass a name, or a torch module through rgbdsod.wrap")
    known = (*_DATA_INPUTS, "hha") if hha else _DATA_INPUTS
    if not set(model.inputs) <= set(known):
        raise UsageError(f"{model.name} has inputs {', '.join(model.inputs)}; a data set has {', '.join(known)}")
    return model


def get_data(data: str | Path | Dataset) -> Dataset:
    """A data set by name or folder, or as it is."""
    return data if isinstance(data, Dataset) else load_dataset(data)


def device_of(model: nn.Module) -> torch.device:
    """Where a model lies."""
    weight = next(model.parameters(), None)
    return torch.device("cpu") if weight is None else weight.device


def model_record(model: SaliencyModel) -> dict[str, Any]:
    """What run.json says about a model; weights that came from no file are hashed as they are."""
    card = model.card
    return {
        "name": card.name,
        "architecture": card.architecture,
        "source": card.source,
        "sha256": card.sha256 or _hash_weights(model),
        "bytes": card.bytes,
        "parameters": card.parameters,
        "fusion": card.fusion or None,
        "paper": card.paper.url if card.paper else None,
        "licence": card.licence or None,
        "size": list(model.size) if model.size else None,
        "note": card.note or None,
    }


def data_record(data: Dataset) -> dict[str, Any]:
    """What run.json says about a data set."""
    return {
        "name": data.name,
        "images": len(data),
        "fingerprint": data.fingerprint,
        "convention": data.convention,
        "warnings": list(data.warnings),
    }


def inputs_of(samples: Sequence[Sample], names: Sequence[str], device: torch.device) -> dict[str, Tensor]:
    """The inputs of samples of one size, with "mask" and "valid", on the device."""
    batch = collate(samples)
    if "hha" in names:
        images = np.stack([hha_image(sample) for sample in samples])
        batch["hha"] = torch.from_numpy(images).permute(0, 3, 1, 2).float().div_(255)
    return {name: batch[name].to(device) for name in (*names, "mask", "valid")}


def _hash_weights(model: nn.Module) -> str:
    digest = hashlib.sha256()
    for name, value in model.state_dict().items():
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes() if value.ndim else
                      str(value.item()).encode())  # fmt: skip
    return digest.hexdigest()
