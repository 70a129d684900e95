"""What is usual at each place: mean and standard deviation of every channel over a data set."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rgbdsod.models import SaliencyModel
from rgbdsod.models.meetings import INPUT, Shape, watched
from rgbdsod.run.interventions.places import Place

Size = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Usual:
    """A place, as it is on the clean images in the intact network.

    Args:
        mean, std: of each channel over all images and positions, float32 (1,C,1,1), on the CPU.
        shapes: (C, h, w) of the map, by the images' size.
    """

    mean: Tensor
    std: Tensor
    shapes: Mapping[Size, Shape]


class Sums:
    """Sums from which the usual is made, of the places of a model.

    They are of float64, so that neither the batch nor the order of the images shows in the result.

    Args:
        places: that are watched.
    """

    def __init__(self, places: Iterable[Place]) -> None:
        self._sums: dict[Place, Tensor] = {}
        self._ids: set[str] = set()
        self._shapes: dict[Place, dict[Size, Shape]] = {place: {} for place in places}

    def watch(self, model: SaliencyModel, inputs: Mapping[str, Tensor], ids: Sequence[str]) -> None:
        """Add what arrives at each place when the model reads some images.

        Args:
            model: intact.
            inputs: (B,C,H,W) in [0, 1].
            ids: of the images; those that were added before (memory ran out later on) are not added again.
        """
        if self._ids.issuperset(ids):
            return
        arrived = arrivals(model, inputs, list(self._shapes))
        self._ids.update(ids)
        for place, x in arrived.items():
            wide = x.detach().cpu().double()
            count = wide.new_full(wide.shape[1:2], wide.numel() / wide.shape[1])
            found = torch.stack([wide.sum((0, 2, 3)), wide.square().sum((0, 2, 3)), count])
            self._sums[place] = found + self._sums.get(place, 0.0)
            height, width = inputs[place.stream].shape[-2:]
            self._shapes[place][height, width] = tuple(x.shape[1:])

    def usual(self) -> dict[Place, Usual]:
        """What is usual at each place."""
        return {place: _usual(sums, self._shapes[place]) for place, sums in self._sums.items()}


def arrivals(model: SaliencyModel, inputs: Mapping[str, Tensor], places: Iterable[Place]) -> dict[Place, Tensor]:
    """What arrives at places when a model reads some inputs, without gradient.

    Args:
        model: intact.
        inputs: (B,C,H,W) in [0, 1].
        places: of the model.

    Returns:
        The maps (B,C,h,w) by place; at "input" the inputs themselves.
    """
    wanted = set(places)
    found = {place: inputs[place.stream] for place in wanted if place.stage == INPUT}

    def look(stage: str, position: int, x: Tensor) -> None:
        place = Place(stage, model.inputs[position])
        if place in wanted:
            found[place] = x

    if len(found) < len(wanted):
        with torch.no_grad(), watched(model.network, look):
            model.outputs(inputs)
    return found


def _usual(sums: Tensor, shapes: Mapping[Size, Shape]) -> Usual:
    mean = sums[0] / sums[2]
    std = (sums[1] / sums[2] - mean.square()).clamp_min(0).sqrt()
    return Usual(mean.float().view(1, -1, 1, 1), std.float().view(1, -1, 1, 1), shapes)
