"""Generators as files: float16 weights and, in the file's own header, what they were trained for."""

import json
from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from rgbdsod.errors import WeightsError
from rgbdsod.foreign.documents import parse_json
from rgbdsod.foreign.files import expecting, reason, shown
from rgbdsod.foreign.tensors import read_tensors

ScopeT = TypeVar("ScopeT")

_KEY = "rgbdsod.generator"
BUILT_IN = ("gap", "advgan", "natural")
"""Generators that are shipped, trained on generated scenes: demonstrations, not the papers' networks."""

_MAKERS = {
    "perturbation": "rgbdsod generator train --kind gap --out FILE.safetensors",
    "latent": "rgbdsod generator train --kind natural --out FILE.safetensors",
    "patch": "python examples/make_naturalistic.py --data FOLDER --out FILE.safetensors",
}
"""Commands, by family."""


def write(path: Path, network: nn.Module, about: Mapping[str, Any]) -> None:
    """Write a generator in one step, so that no half-written file is ever found.

    Args:
        path: of the file, replaced if it is there.
        network: whose weights are kept, as float16.
        about: what it was trained for, in JSON's types.

    Raises:
        WeightsError: the file cannot be written.
    """
    state = {name: value.detach().half().cpu().contiguous() for name, value in network.state_dict().items()}
    temporary = path.with_name(f"{path.name}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(state, temporary, metadata={_KEY: json.dumps(about)})
        temporary.chmod(0o644)  # the library makes a private file
        temporary.replace(path)
    except OSError as error:
        raise WeightsError(f"{path} cannot be written: {error.strerror or error}") from error


def read(source: str | Path, family: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The weights of a generator and what it was trained for.

    Args:
        source: a name of `BUILT_IN`, or a file that `write` made.
        family: what kind of generator is wanted: "perturbation", "latent" or "patch".

    Raises:
        WeightsError: the file is missing, damaged, no generator, or one of another family.
    """
    path = Path(str(files(__package__) / "assets" / f"{source}.safetensors")) if source in BUILT_IN else Path(source)
    make = f"make one with: {_MAKERS[family]}"
    if not path.is_file():
        raise WeightsError(f"no generator {source}; built-in are {', '.join(BUILT_IN)}, or {make}")
    try:
        tensors, metadata = read_tensors(path)
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path} is damaged or no safetensors file ({reason(error)}); {make}") from error
    text = metadata.get(_KEY)
    if text is None:
        raise WeightsError(f"{path} holds weights, but of no generator; {make}")
    with expecting(str(path), make, WeightsError):
        about: dict[str, Any] = {**parse_json(text)}
    if about.get("family") != family:
        raise WeightsError(f"{path} is a {shown(about.get('family'))} generator, expected a {family} one; {make}")
    return {name: value.float() for name, value in tensors.items()}, about


def scope_of(kind: Callable[..., ScopeT], about: Mapping[str, Any], source: str | Path) -> ScopeT:
    """What a file's header says, as the class that keeps it.

    Raises:
        WeightsError: the header is of another version.
    """
    try:
        return kind(**{name: value for name, value in about.items() if name != "family"})
    except TypeError as error:
        raise WeightsError(f"{source} was made by another version of rgbdsod ({error}); train it again") from error


def fill(network: nn.Module, state: Mapping[str, Tensor], source: str | Path) -> None:
    """Put weights into a network.

    Raises:
        WeightsError: they are of another one.
    """
    try:
        network.load_state_dict(dict(state))
    except RuntimeError as error:
        raise WeightsError(f"{source}: its weights do not fit the generator that its header describes") from error


@torch.no_grad()
def settle(network: nn.Module) -> None:
    """Round weights to what a file keeps, so that a generator and its file are the same."""
    for weight in network.parameters():
        weight.copy_(weight.half())
