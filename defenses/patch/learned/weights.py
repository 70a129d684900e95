"""Weights of the small networks of learned defences: safetensors files, nothing is unpickled."""

import json
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from rgbdsod.errors import WeightsError
from rgbdsod.foreign.files import plain
from rgbdsod.foreign.tensors import read_tensors

Network = TypeVar("Network", bound=nn.Module)

ASSETS = Path(__file__).parents[1] / "assets"


def load_weights(network: Network, name: str, path: str | Path | None) -> Network:
    """The network with weights from a file, frozen and in eval mode.

    Args:
        network: of the right architecture.
        name: of the built-in file, for messages too.
        path: of a safetensors file; None: the built-in one.

    Raises:
        WeightsError: the file is missing, damaged, or does not fit.
    """
    try:
        network.load_state_dict(read_asset(name, path))
    except RuntimeError as error:
        raise _unfit(name, path, error) from error
    return network.eval().requires_grad_(False)


def read_asset(name: str, path: str | Path | None) -> dict[str, Tensor]:
    """The tensors of a file in float32, by name; arguments and errors as for `load_weights`."""
    file = asset_path(name) if path is None else Path(path)
    if not file.is_file():
        raise WeightsError(
            f"{name} has no weights at {file}; leave weights out for the built-in ones, or make some with "
            "examples/make_patch_defenses.py"
        )
    try:
        return {key: value.to(torch.float32) for key, value in read_tensors(file)[0].items()}
    except (OSError, ValueError, RuntimeError) as error:
        raise _unfit(name, path, error) from error


def asset_path(name: str) -> Path:
    """Where the built-in file of a defence is."""
    return ASSETS / f"{name}.safetensors"


def asset_record(name: str) -> dict[str, Any]:
    """What is recorded beside a built-in file."""
    found: dict[str, Any] = json.loads(asset_path(name).with_suffix(".json").read_text(encoding="utf-8"))
    return found


def _unfit(name: str, path: str | Path | None, error: Exception) -> WeightsError:
    last = plain(str(error).strip().splitlines()[-1].strip(), 200)
    return WeightsError(f"{path or asset_path(name)} does not fit {name} ({last}); pass a file that was made for it")
