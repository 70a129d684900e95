"""Whether what a generator draws may be called natural: nearer to crops than crops under strong noise are."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from rgbdsod.attacks.randomness import stream
from rgbdsod.errors import UsageError
from rgbdsod.metrics import distribution_distance

NOISE = 0.3
"""Standard deviation of the noise on crops that a natural generator has to be nearer than."""


@dataclass(frozen=True)
class Quality:
    """A generator beside crops that it never saw.

    Args:
        distance: Frechet distance of what it draws from held-out crops (FD-random, the median of three seeds).
        noise: of other held-out crops under noise of 0.3.
        crops: of other held-out crops as they are: what the distance of two such sets is by chance.
        count: pictures in each set.
    """

    distance: float
    noise: float
    crops: float
    count: int

    @property
    def natural(self) -> bool:
        """Whether what it draws may be called natural."""
        return self.distance < self.noise

    def record(self) -> dict[str, Any]:
        """In JSON's types, for a generator's file."""
        return {**{name: round(value, 4) for name, value in asdict(self).items()}, "embedder": "FD-random"}


@torch.no_grad()
def generator_quality(draw: Callable[[Tensor], Tensor], numbers: int, held_out: Tensor, seed: int = 0) -> Quality:
    """Compare what a generator draws with crops that it never saw.

    Args:
        draw: takes latent vectors (B,numbers), standard normal; returns pictures (B,3,h,w) in [0, 1].
        numbers: of a latent vector.
        held_out: crops (2N,3,h,w) of photographs that it was not trained on, N at least 240; the first half is the
            reference, the second is measured as it is and under noise.
        seed: of the vectors and the noise.

    Raises:
        UsageError: too few crops for a covariance.
    """
    count = len(held_out) // 2
    if count < 240:
        raise UsageError(f"{len(held_out)} held-out crops; FD-random has 96 numbers and takes 480 or more")
    reference, others = held_out[:count], held_out[count : 2 * count]
    vectors = torch.randn(count, numbers, generator=stream(seed, "patch", "quality", "vectors"))
    noise = torch.randn(others.shape, generator=stream(seed, "patch", "quality", "noise"))
    sets = {"distance": draw(vectors), "noise": (others + NOISE * noise).clamp(0, 1), "crops": others}
    found = {name: distribution_distance(own, reference).frechet for name, own in sets.items()}
    return Quality(**found, count=count)
