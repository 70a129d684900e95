"""What takes the place of a stream: nothing, its mean, noise of its kind, or another image's."""

from collections.abc import Callable, Sequence
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from rgbdsod.attacks.randomness import stream
from rgbdsod.datasets import Sample
from rgbdsod.errors import UsageError
from rgbdsod.models import SaliencyModel
from rgbdsod.models.meetings import INPUT
from rgbdsod.run.interventions.places import Place
from rgbdsod.run.interventions.usual import Size, Usual, arrivals
from rgbdsod.run.modeling import device_of, inputs_of

Mode = Literal["cut", "mean", "noise", "swap"]

WORDS = {
    "cut": "zeros",
    "mean": "each channel's mean over the data set",
    "noise": "normal noise with each channel's mean and standard deviation",
    "swap": "the map of another image of the data set",
}


def find_modes(modes: str | Sequence[str]) -> list[Mode]:
    """The modes that are meant, each once, in their usual order.

    Args:
        modes: one name, or several.

    Raises:
        UsageError: there is no such mode, or none is named.
    """
    named = [modes] if isinstance(modes, str) else list(modes)
    for name in named:
        if name not in get_args(Mode):
            raise UsageError(f'no mode "{name}"; modes are {", ".join(get_args(Mode))}')
    if not named:
        raise UsageError(f"--mode names nothing; pass one or more of {','.join(get_args(Mode))}")
    return [mode for mode in get_args(Mode) if mode in named]


class Replacement:
    """The value that takes a stream's place, for any images of a data set.

    It depends on the image and the data set alone, never on the batch.

    Args:
        model: intact.
        place: whose stream is replaced.
        mode: by what.
        usual: of the place.
        partner: from an image's position to that of the one whose map it gets, for "swap".
        read: from a position to a sample.
        seed: of the noise.
    """

    def __init__(
        self,
        model: SaliencyModel,
        place: Place,
        mode: Mode,
        usual: Usual,
        *,
        partner: Callable[[int], int],
        read: Callable[[int], Sample],
        seed: int,
    ) -> None:
        self.model, self.place, self.mode, self.usual = model, place, mode, usual
        self._partner, self._read, self._seed = partner, read, seed

    def __call__(self, part: Sequence[int], samples: Sequence[Sample]) -> Tensor:
        """The value for some images of one size, on the model's device.

        Args:
            part: their positions.
            samples: they.

        Returns:
            (1,C,1,1) or (1,1,1,1) where it is the same for all, else (B,C,h,w).
        """
        if self.mode == "cut":
            value = torch.zeros(1, 1, 1, 1)
        elif self.mode == "mean":
            value = self.usual.mean
        elif self.mode == "noise":
            value = torch.cat([self._noise(sample) for sample in samples])
        else:
            value = self._others(part, samples[0].size)
        return value.to(device_of(self.model))

    def _noise(self, sample: Sample) -> Tensor:
        """Noise for one image, from (seed, image, place); at the input no value leaves [0, 1]."""
        generator = stream(self._seed, sample.id, "intervention", self.place.stage, self.place.stream)
        drawn = torch.randn(1, *self.usual.shapes[sample.size], generator=generator) * self.usual.std + self.usual.mean
        return drawn.clamp(0, 1) if self.place.stage == INPUT else drawn

    def _others(self, part: Sequence[int], size: Size) -> Tensor:
        """The clean maps of other images, which are of one size too, at the size that these images' have."""
        others = [self._read(self._partner(index)) for index in part]
        batch = inputs_of(others, self.model.inputs, device_of(self.model))
        value = arrivals(self.model, {name: batch[name] for name in self.model.inputs}, [self.place])[self.place]
        wanted = self.usual.shapes[size][1:]
        if value.shape[-2:] == wanted:
            return value
        return F.interpolate(value, wanted, mode="bilinear", align_corners=False)


def next_of_a_size(sizes: Sequence[Size]) -> Callable[[int], int]:
    """From an image's position to that of the next one of its size, the last's next being the first.

    An image that is alone of its size gets the next one of any size.

    Args:
        sizes: (H, W) of all images, two or more.
    """
    count = len(sizes)

    def partner(index: int) -> int:
        others = ((index + step) % count for step in range(1, count))
        return next((other for other in others if sizes[other] == sizes[index]), (index + 1) % count)

    return partner
