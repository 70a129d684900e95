"""Weights of the small networks of learned defences: safetensors files, nothing is unpickled."""

from pathlib import Path
from typing import TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from rgbdsod.errors import WeightsError

Network = TypeVar("Network", bound=nn.Module)

ASSETS = Path(__file__).parents[1] / "assets"


def load_weights(network: Network, name: str, path: str | Path | None) -> Network:
    """The network with weights from a file, frozen and in eval mode.

    Args:
        network: of the right architecture.
        name: of the defence, for the built-in file and for messages.
        path: of a safetensors file; None: the built-in one.

    Raises:
        WeightsError: the file is missing, damaged, or does not fit.
    """
    file = ASSETS / f"{name}.safetensors" if path is None else Path(path)
    if not file.is_file():
        raise WeightsError(
            f"{name} has no weights at {file}; leave weights out for the built-in ones, or make some with "
            "examples/make_patch_defenses.py"
        )
    try:
        state = load_file(file)
        network.load_state_dict({key: value.to(torch.float32) for key, value in state.items()})
    except (SafetensorError, RuntimeError) as error:
        reason = str(error).splitlines()[-1].strip()
        raise WeightsError(f"{file} does not fit {name} ({reason}); pass a file that was made for it") from error
    return network.eval().requires_grad_(False)
