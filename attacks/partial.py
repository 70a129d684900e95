"""A model with some of its inputs filled in, so that an attack on the others does not run their share again."""

import copy
from collections.abc import Callable, Mapping
from typing import Any, Protocol, Self, runtime_checkable

import torch
from torch import Tensor, nn

from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs, MapModel

Forward = Callable[[Inputs], Any]
"""A model as a function of its named inputs."""


@runtime_checkable
class OfBatch(Protocol):
    """A model that keeps something of each sample of a batch, such as the gravity of an encoding of depth."""

    def select(self, index: Tensor) -> Self:
        """The model for some of the samples, by index along the batch."""
        ...


class Partial:
    """Calls a model in two stages and keeps the first for inputs that stay.

    Args:
        encode: (name, input) -> all that depends on this input alone.
        fuse: features of all inputs, by name -> outputs.
        inputs: the inputs' names.
        modules: what to hold still during an attack.
        name: what messages call the model.
        of: by index along the batch, the same for some of the samples, nothing filled in; None: any batch is alike.
    """

    def __init__(
        self,
        encode: Callable[[str, Tensor], Any],
        fuse: Callable[[Mapping[str, Any]], Any],
        inputs: tuple[str, ...],
        modules: tuple[nn.Module, ...],
        name: str,
        of: "Callable[[Tensor], Partial] | None" = None,
    ) -> None:
        self.inputs = inputs
        self.modules = modules
        self.name = name
        self._encode = encode
        self._fuse = fuse
        self._of = of
        self._kept: dict[str, Any] = {}

    def __call__(self, inputs: Inputs) -> Any:
        """The outputs; inputs that were filled in may be left out."""
        features = {name: self._encode(name, value) for name, value in inputs.items()}
        return self._fuse({**self._kept, **features})

    def given(self, fixed: Inputs) -> Self:
        """The model with these inputs filled in."""
        with torch.no_grad():
            kept = {name: self._encode(name, value) for name, value in fixed.items()}
        return self._keeping({**self._kept, **kept})

    def select(self, index: Tensor) -> Self:
        """The model with what is filled in reduced to some samples."""
        other = self._keeping({name: _take(value, index) for name, value in self._kept.items()})
        if self._of is not None:
            own = self._of(index)
            other._encode, other._fuse, other._of = own._encode, own._fuse, own._of
        return other

    def _keeping(self, kept: dict[str, Any]) -> Self:
        other = copy.copy(self)
        other._kept = kept
        return other


def staged(model: MapModel, size: tuple[int, int]) -> Partial:
    """A map model in its own two stages.

    Args:
        model: the model.
        size: (H, W) of the maps it is asked for.
    """
    return Partial(
        model.encode,
        lambda features: model.fuse(features, size),
        model.inputs,
        modules_of(model),
        name_of(model),
        (lambda index: staged(model.select(index), size)) if isinstance(model, OfBatch) else None,
    )


def whole(
    model: Forward, inputs: tuple[str, ...] | None = None, modules: tuple[nn.Module, ...] | None = None
) -> Partial:
    """A plain callable, nothing of which is known to depend on one input alone.

    Args:
        model: takes the mapping of all inputs.
        inputs: their names; by default what the model says, or rgb and depth.
        modules: what to hold still; by default the model itself where it is a module.
    """
    names = inputs or tuple(getattr(model, "inputs", ("rgb", "depth")))
    return Partial(
        lambda _, value: value, model, names, modules_of(model) if modules is None else modules, name_of(model)
    )


def modules_of(model: object) -> tuple[nn.Module, ...]:
    """The model itself where it is a module."""
    return (model,) if isinstance(model, nn.Module) else ()


def name_of(model: object) -> str:
    """What messages call the model."""
    return str(getattr(model, "name", None) or getattr(model, "__name__", type(model).__name__))


class OnModel:
    """What all problems about one model share."""

    kind = "score"

    def __init__(self, model: Partial) -> None:
        self._model = model

    @property
    def name(self) -> str:
        """The model's name."""
        return self._model.name

    @property
    def inputs(self) -> tuple[str, ...]:
        """The model's inputs."""
        return self._model.inputs

    @property
    def modules(self) -> tuple[nn.Module, ...]:
        """What is held still during an attack."""
        return self._model.modules

    def exits(self, outputs: Any) -> Tensor:
        """The ways out; each kind of problem has its own.

        Raises:
            UsageError: this one has none.
        """
        raise UsageError(f"{self.name} has no exits, which attacks that look for the smallest change need; add them")

    def sides(self, outputs: Any) -> tuple[Tensor, Tensor | None]:
        """What is to rise; nothing is to fall."""
        return -self.exits(outputs).amin(1), None

    def gap(self, outputs: Any) -> Tensor:
        """What is missing to the nearest way out, (B,)."""
        return self.exits(outputs).amin(1)

    def demands(self, outputs: Any) -> tuple[Tensor, Tensor]:
        """What must turn: one thing, the nearest way out."""
        gap = self.gap(outputs)[:, None]
        return gap, torch.ones_like(gap)

    def given(self, fixed: Inputs) -> Self:
        """The problem with some inputs filled in; what depends on these alone is computed once, here."""
        return self._with(_model=self._model.given(fixed))

    def _rows(self, index: Tensor, *fields: str) -> Self:
        """The problem for some of the samples, which the model and these fields hold along the batch."""
        rows = {field: _take(getattr(self, field), index) for field in fields}
        return self._with(_model=self._model.select(index), **rows)

    def _with(self, **changes: object) -> Self:
        other = copy.copy(self)
        vars(other).update(changes)
        return other


def _take(value: Any, index: Tensor) -> Any:
    """Rows of all tensors in a nest of dicts, lists and tuples; anything else has no batch and stays."""
    if isinstance(value, Tensor):
        return value[index]
    if isinstance(value, Mapping):
        return {name: _take(part, index) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        build = getattr(type(value), "_make", type(value))  # named tuples take their parts one by one
        return build(_take(part, index) for part in value)
    return value
