"""Put the tensors of a weights file into a network: find the layout, and say precisely what does not fit."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from rgbdsod.errors import WeightsError
from rgbdsod.foreign.files import plain
from rgbdsod.models.checkpoint import State

_PREFIXES = ("module.", "model.", "network.", "_orig_mod.")  # of wrappers around the network that was saved
_OLD_DENSENET = re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12])\.")
_SHOWN, _LONG = 3, 200


@dataclass(frozen=True)
class Fit:
    """Tensors arranged for a network, and where the two differ.

    Args:
        state: the tensors under the network's names, as far as they fit, in its data types.
        missing: names that the network has and the file lacks.
        unexpected: names that only the file has.
        reshaped: for each name with another shape, the shape that came and the one expected.
        total: entries of the network.
    """

    state: State
    missing: list[str]
    unexpected: list[str]
    reshaped: dict[str, tuple[tuple[int, ...], tuple[int, ...]]]
    total: int

    @property
    def differences(self) -> int:
        """How many entries do not fit."""
        return len(self.missing) + len(self.unexpected) + len(self.reshaped)

    def describe(self) -> str:
        """What does not fit: the count of each kind, with the first names."""
        parts = []
        if self.missing:
            parts.append(f"{len(self.missing)} of {self.total} keys are missing ({_first(self.missing)})")
        if self.unexpected:
            parts.append(f"{len(self.unexpected)} are unexpected ({_first(self.unexpected)})")
        if self.reshaped:
            texts = [f"{name} is {_x(came)}, expected {_x(wanted)}" for name, (came, wanted) in self.reshaped.items()]
            parts.append(f"{len(self.reshaped)} have another shape ({_first(texts)})")
        return ", ".join(parts)


def fit(state: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> Fit:
    """Arrange a file's tensors for a network.

    Args:
        state: tensors under the names of the file: plain, or with the prefixes "module." and "model." in any order; a
            DenseNet's old names ("norm.1") and a missing "num_batches_tracked" are understood.
        target: the network's state dict; its tensors may be on the meta device.
    """
    names = target.keys()
    found = max(_layouts(state), key=lambda layout: len(names & layout.keys()))
    for name, wanted in target.items():
        if name.endswith("num_batches_tracked") and name not in found:
            found[name] = torch.zeros(wanted.shape, dtype=wanted.dtype)
    shared = [name for name in target if name in found]
    return Fit(
        state={
            name: found[name].to(target[name].dtype) for name in shared if _shape(found, name) == _shape(target, name)
        },
        missing=[name for name in target if name not in found],
        unexpected=[name for name in found if name not in target],
        reshaped={
            name: (_shape(found, name), _shape(target, name))
            for name in shared
            if _shape(found, name) != _shape(target, name)
        },
        total=len(target),
    )


def check_finite(state: Mapping[str, Tensor], source: str) -> None:
    """Refuse weights that are not numbers.

    Raises:
        WeightsError: with the count and the first name.
    """
    bad = [name for name, value in state.items() if value.is_floating_point() and not torch.isfinite(value).all()]
    if bad:
        raise WeightsError(
            f"{source}: {len(bad)} of {len(state)} tensors hold NaN or infinity (first: {plain(bad[0], _LONG)}); the "
            "file is damaged or its training diverged; use another checkpoint"
        )


def _layouts(state: Mapping[str, Tensor]) -> Iterator[State]:
    """The tensors as they are named, then without each prefix that all names share."""
    current = {_OLD_DENSENET.sub(r"\1\2.", name): value for name, value in state.items()}
    yield current
    while prefix := next((p for p in _PREFIXES if all(name.startswith(p) for name in current)), None):
        current = {name.removeprefix(prefix): value for name, value in current.items()}
        yield current


def _shape(state: Mapping[str, Tensor], name: str) -> tuple[int, ...]:
    return tuple(state[name].shape)


def _first(names: list[str]) -> str:
    return ", ".join(plain(name, _LONG) for name in names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")


def _x(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "a single number"
