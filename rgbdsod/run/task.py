"""What one command computes, as `rgbdsod.run.execute` asks for it."""

from collections.abc import Callable, Hashable, Sequence
from typing import Any, Protocol

import torch

from rgbdsod.run.pieces import Piece
from rgbdsod.run.store import Store


class Images(Protocol):
    """What a command computes on."""

    @property
    def ids(self) -> list[str]:
        """One name for each image, all different."""
        ...

    def sizes(self) -> Sequence[Hashable]:
        """What images of one batch have in common, such as their (H, W)."""
        ...


class Task(Protocol):
    """What one command computes."""

    @property
    def command(self) -> str:
        """The command's name."""
        ...

    @property
    def title(self) -> str:
        """Readable beginning of the folder's name."""
        ...

    @property
    def data(self) -> Images:
        """The images."""
        ...

    @property
    def modules(self) -> tuple[torch.nn.Module, ...]:
        """What is held in evaluation mode."""
        ...

    def settings(self) -> dict[str, Any]:
        """All that the numbers depend on, in TOML's types."""
        ...

    def record(self) -> dict[str, Any]:
        """Entries of run.json: model, data, seed, dtype."""
        ...

    def begin(self, store: Store) -> None:
        """Write what does not belong to a piece."""
        ...

    def compute(self, part: list[int], store: Store, advance: Callable[[float], None]) -> Piece:
        """Compute images of one batch; `advance` takes how many of them are done."""
        ...

    def metrics(self, merged: Piece) -> dict[str, Any]:
        """The content of metrics.json but for what every command has."""
        ...
