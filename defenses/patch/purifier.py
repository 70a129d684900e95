"""What every defence against patches answers: purified inputs, where it saw a patch, and how sure it is."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple, Protocol, Self, runtime_checkable

import torch
from torch import Tensor

from rgbdsod.defenses.patch.door import chosen
from rgbdsod.types import Inputs

Differentiable = Literal["exact", "bpda", "none"]


class Purified(NamedTuple):
    """What a defence made of a batch.

    Attributes:
        inputs: all inputs by name, in [0, 1]; those that the defence leaves alone are the very same tensors.
        mask: where it saw a patch, (B,1,H,W) in [0, 1]; zeros where it looks for none.
        score: how much it saw, (B,), higher for an attack; each defence says in what unit.
        undo: brings maps (B,1,H,W) of these inputs back to the pixels of the images; None: they never left them.
    """

    inputs: dict[str, Tensor]
    mask: Tensor
    score: Tensor
    undo: Callable[[Tensor], Tensor] | None = None


@runtime_checkable
class Purifier(Protocol):
    """A defence that changes the inputs before the model sees them."""

    @property
    def name(self) -> str:
        """The name a user types."""
        ...

    @property
    def differentiable(self) -> Differentiable:
        """Whether its gradient is exact, that of a stand-in, or of no use."""
        ...

    @property
    def random(self) -> bool:
        """Whether two calls may differ."""
        ...

    def calibrate(self, inputs: Inputs) -> Self:
        """The same defence with its threshold set by clean images."""
        ...

    def __call__(self, inputs: Inputs) -> Purified:
        """The purified batch."""
        ...

    def surrogate(self, inputs: Inputs) -> Purified:
        """The differentiable stand-in of the same call; its score is what an aware attack keeps low."""
        ...


@dataclass(frozen=True, eq=False, kw_only=True)
class Defence(ABC):
    """What the defences of this package share.

    Args:
        on: the inputs that it works on, each by itself; None: every image, or for localisers the RGB image.
    """

    on: tuple[str, ...] | None = None

    name: ClassVar[str] = ""
    differentiable: ClassVar[Differentiable] = "exact"
    random: ClassVar[bool] = False
    colour_only: ClassVar[bool] = False
    straight: ClassVar[bool] = False
    """Whether a call carries the gradient of its stand-ins already, so that an attack needs no second call."""
    thresholded: ClassVar[bool] = False
    """Whether clean images set a threshold of its score."""
    published: ClassVar[bool] = True
    """Whether it has a threshold without clean images, its paper's."""

    def in_front_of(self, victim: object) -> Self:
        """The same defence for this victim; most need not know it.

        Args:
            victim: a saliency network, a detector, or None where images alone are looked at.

        Raises:
            UsageError: the defence does not work for this victim.
        """
        return self

    def installed(self) -> AbstractContextManager[None]:
        """While it lasts, the victim computes as the defence wants it to; most change inputs alone."""
        return nullcontext()

    def images(self, inputs: Inputs) -> dict[str, Tensor]:
        """The inputs that the defence works on, checked.

        Raises:
            UsageError: an input is missing, or is no batch of images.
        """
        return chosen(inputs, self.on, self.colour_only, self.name)

    def calibrate(self, inputs: Inputs) -> Self:
        """The defence itself: it has no threshold.

        Raises:
            UsageError: no images.
        """
        self.images(inputs)
        return self

    @abstractmethod
    def __call__(self, inputs: Inputs) -> Purified:
        """The purified batch."""

    def surrogate(self, inputs: Inputs) -> Purified:
        """The defence itself, where it is differentiable."""
        return self(inputs)


def installed(purifier: Purifier) -> AbstractContextManager[None]:
    """`Defence.installed`, of any purifier; nothing where it has none."""
    found: AbstractContextManager[None] = getattr(purifier, "installed", nullcontext)()
    return found


class Filter(Defence):
    """A defence that changes all pixels alike and looks for no patch.

    Its score is the mean absolute change, over the inputs that it filters.
    """

    @abstractmethod
    def filter(self, image: Tensor) -> Tensor:
        """One input (B,C,H,W) in [0, 1], C 1 or 3, filtered."""

    def filter_softly(self, image: Tensor) -> Tensor:
        """The differentiable stand-in of the filter."""
        return self.filter(image)

    def __call__(self, inputs: Inputs) -> Purified:
        """The filtered batch."""
        images = self.images(inputs)
        return _filtered(inputs, images, {name: self.filter(image) for name, image in images.items()})

    def surrogate(self, inputs: Inputs) -> Purified:
        """The same with the differentiable stand-in."""
        images = self.images(inputs)
        return _filtered(inputs, images, {name: self.filter_softly(image) for name, image in images.items()})


def _filtered(inputs: Inputs, before: Mapping[str, Tensor], after: dict[str, Tensor]) -> Purified:
    changes = [(after[name] - image).abs().flatten(1).mean(1) for name, image in before.items()]
    first = next(iter(before.values()))
    return Purified({**inputs, **after}, torch.zeros_like(first[:, :1]), torch.stack(changes).mean(0))
