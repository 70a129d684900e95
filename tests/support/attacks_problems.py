"""Inputs and problems with known answers."""

import torch
from attacks_networks import Saliency, seeded
from torch import Tensor

from rgbdsod.attacks.maps import MapProblem
from rgbdsod.attacks.scored import ScoreProblem

SHAPES = {"rgb": (3, 6, 5), "depth": (1, 6, 5)}


def rand(seed: int, *shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def weights(samples: int = 1, dtype: torch.dtype = torch.float64) -> dict[str, Tensor]:
    """A linear model's weights for each sample, none of them 0."""
    drawn = {name: rand(7 + at, samples, *shape, dtype=dtype) - 0.5 for at, (name, shape) in enumerate(SHAPES.items())}
    return {name: torch.where(w.abs() < 1e-3, 1e-3, w) for name, w in drawn.items()}


def middle(samples: int = 1, dtype: torch.dtype = torch.float64) -> dict[str, Tensor]:
    """Inputs that are 0.5 everywhere: no small budget meets the box."""
    return {name: torch.full((samples, *shape), 0.5, dtype=dtype) for name, shape in SHAPES.items()}


class gains(ScoreProblem):  # noqa: N801 - read as a function of its weights
    """What a linear model gains over grey inputs; each sample has its own weights, which leave the batch with it."""

    def __init__(self, w: dict[str, Tensor], threshold: float = 0.0) -> None:
        super().__init__(self._score, threshold=threshold, inputs=tuple(w))
        self._model = self._model._keeping({f"{name} weights": weight for name, weight in w.items()})

    def select(self, index: Tensor) -> "gains":
        return self._rows(index, "_threshold")  # a threshold may be one per sample

    @staticmethod
    def _score(inputs: dict[str, Tensor]) -> Tensor:
        names = [name for name in inputs if not name.endswith(" weights")]
        return sum(((inputs[name] - 0.5) * inputs[f"{name} weights"]).flatten(1).sum(1) for name in names)


def scene(samples: int = 4, size: int = 16, seed: int = 0) -> tuple[dict[str, Tensor], Tensor]:
    """Random inputs with values from 0 to 1 and blocks as masks."""
    inputs = {"rgb": rand(seed, samples, 3, size, size), "depth": rand(seed + 1, samples, 1, size, size)}
    masks = torch.zeros(samples, 1, size, size)
    for at in range(samples):
        masks[at, :, 2 + at : 9 + at, 3:12] = 1
    return inputs, masks


def toy(samples: int = 4, **settings) -> tuple[MapProblem, dict[str, Tensor]]:
    """A random network on random inputs, with its problem."""
    inputs, masks = scene(samples)
    return MapProblem(seeded(Saliency()), masks, **settings), inputs
