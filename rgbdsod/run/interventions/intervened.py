"""A model in which one stream is replaced at one stage."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

from torch import Tensor

from rgbdsod.models import SaliencyModel
from rgbdsod.models.meetings import INPUT, hooked, meetings_of
from rgbdsod.run.interventions.places import Place
from rgbdsod.types import Inputs


class Intervened(SaliencyModel):
    """A model with something else in the place of one stream at one stage; the network is shared.

    Hooks are in the network only while this model computes, so the model that it was made from is never changed, and
    an attack on this one sees the network as it is here.

    Args:
        intact: the model.
        place: what is replaced.
        value: what takes its place: (1,C,1,1) or (1,1,1,1) for all images alike, or (B,C,h,w) for those of one batch,
            which the attacks reduce with `select` where images leave it.

    Example:
        >>> import torch
        >>> from rgbdsod import load_model
        >>> from rgbdsod.run.interventions.intervened import Intervened
        >>> from rgbdsod.run.interventions.places import Place
        >>> model = load_model("bbsnet", device="cpu")
        >>> blind = Intervened(model, Place("input", "depth"), torch.zeros(1, 1, 1, 1))
        >>> rgb, near, far = torch.rand(1, 3, 64, 64), torch.ones(1, 1, 64, 64), torch.zeros(1, 1, 64, 64)
        >>> bool((blind(rgb=rgb, depth=near) == model(rgb=rgb, depth=far)).all())
        True
    """

    value: Tensor

    def __init__(self, intact: SaliencyModel, place: Place, value: Tensor) -> None:
        super().__init__(
            intact.network,
            intact.specs,
            intact.card,
            size=intact.size,
            multiple=intact.multiple,
            output=intact.output,
            probability=intact.probability,
            align_corners=intact.align_corners,
        )
        self.intact = intact
        self.place = place
        self.register_buffer("value", value, persistent=False)
        self.training = intact.training  # of this wrapper alone; flags in the network stay as they are

    def encode(self, name: str, x: Tensor) -> Any:
        """What can be computed from one input alone, which is the replaced one where that is the place."""
        return self.intact.encode(name, self._given(name, x))

    def fuse(self, features: Mapping[str, Any], size: tuple[int, int]) -> Tensor:
        """Logits (B,1,H,W) at `size` = (H, W), from what `encode` returned for every input."""
        with self._in_place():
            return self.intact.fuse(features, size)

    def prepare(self, name: str, x: Tensor) -> Tensor:
        """The network's own input."""
        return self.intact.prepare(name, self._given(name, x))

    def outputs(self, inputs: Inputs) -> dict[str, Tensor]:
        """All outputs of the network, from unchecked inputs in [0, 1]."""
        with self._in_place():
            return self.intact.outputs({name: self._given(name, x) for name, x in inputs.items()})

    def at(self, size: tuple[int, int] | None) -> Self:
        """The same intervention at another working size; a value for one batch's maps may not fit there."""
        return type(self)(self.intact.at(size), self.place, self.value)

    def select(self, index: Tensor) -> Self:
        """The model for some of the samples that it belongs to, by index along the batch."""
        value = self.value if len(self.value) == 1 else self.value[index]
        return type(self)(self.intact, self.place, value)

    @contextmanager
    def _in_place(self) -> Iterator[None]:
        """Meanwhile the network's meeting gets the other map."""
        if self.place.stage == INPUT:
            yield
            return
        position = self.inputs.index(self.place.stream)
        module = meetings_of(self.network)[self.place.stage]
        with hooked(module, lambda at, x: self._instead(x) if at == position else x, len(self.inputs)):
            yield

    def _given(self, name: str, x: Tensor) -> Tensor:
        return self._instead(x) if self.place == Place(INPUT, name) else x

    def _instead(self, x: Tensor) -> Tensor:
        """The value, of the shape of `x`; it hangs on `x` with gradient 0, so that an attack finds a whole graph."""
        return self.value.to(x.dtype) + 0 * x
