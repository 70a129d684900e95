"""How far inner layers are from what they give out for a guide image."""

import torch
from torch import Tensor

from rgbdsod.attacks.engine import Engine
from rgbdsod.attacks.saliency.taps import Taps
from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs


class Layers:
    """How far layers are from what they give out for a guide image, per sample.

    Args:
        taps: listen to the layers.
        most: how many layers count, spread evenly over those that depend on the attacked inputs; None: all of them.
    """

    def __init__(self, taps: Taps, most: int | None) -> None:
        self._taps, self._most = taps, most
        self._guide: dict[str, Tensor] = {}
        self._first: dict[str, Tensor] = {}

    @property
    def ready(self) -> bool:
        """Whether the guide has been looked at."""
        return bool(self._guide)

    def look(self, engine: Engine, guide: Inputs) -> None:
        """One forward pass at the guide.

        Gradients are on, so that layers of which the attacked inputs know nothing can be told from the others.

        Raises:
            UsageError: no layer depends on the attacked inputs.
        """
        self._taps.read()
        with torch.enable_grad():
            engine.forward({name: value.detach().requires_grad_() for name, value in guide.items()})
        heard = {
            name: value.detach()
            for name, value in self._taps.read().items()
            if value.requires_grad and value.shape[:1] == (len(engine),)
        }
        if not heard:
            attacked = " or ".join(guide)
            raise UsageError(f"--layers: none of them depends on the attacked {attacked}; name others, or auto")
        self._guide = heard if self._most is None else _spread(heard, self._most)
        self._taps.only(self._guide)

    def distance(self) -> Tensor:
        """The mean over layers of the squared distance, each relative to the first time it was asked, (B,)."""
        found = self._taps.read()
        shares = []
        for name, guide in self._guide.items():
            square = (found[name] - guide).flatten(1).float().square().mean(1)
            first = self._first.setdefault(name, square.detach())
            shares.append(square / torch.where(first > 0, first, 1.0))
        return torch.stack(shares).mean(0)

    def select(self, index: Tensor) -> None:
        """Go on with some of the samples."""
        self._guide = {name: value[index] for name, value in self._guide.items()}
        self._first = {name: value[index] for name, value in self._first.items()}


def _spread(heard: dict[str, Tensor], most: int) -> dict[str, Tensor]:
    """At most so many of them, from the middles of equal shares."""
    names, count = list(heard), min(most, len(heard))
    return {name: heard[name] for name in (names[(2 * at + 1) * len(names) // (2 * count)] for at in range(count))}
