"""Random numbers that belong to a sample: its neighbours, its place in the batch and other runs cannot change them."""

import hashlib
from collections.abc import Callable, Sequence

import torch
from torch import Tensor


def stream(seed: int, *labels: object) -> torch.Generator:
    """A CPU generator seeded by what it is for; the same labels give the same numbers on every machine.

    Args:
        seed: the run's seed.
        labels: what the stream belongs to: sample id, attack, restart, input.
    """
    key = "\x1f".join(str(label) for label in (seed, *labels))
    value = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "little")
    return torch.Generator().manual_seed(value >> 1)


class Streams:
    """One stream per sample of a batch, for one purpose.

    Args:
        seed: the run's seed.
        sample_ids: one id per sample.
        labels: the purpose: attack, restart, input.
    """

    def __init__(self, seed: int, sample_ids: Sequence[str], *labels: object) -> None:
        self._streams = [stream(seed, sample, *labels) for sample in sample_ids]

    def select(self, index: Tensor) -> None:
        """Go on with some of the samples only."""
        self._streams = [self._streams[row] for row in index.tolist()]

    def uniform(self, like: Tensor) -> Tensor:
        """Uniform in [0, 1), of the shape (B, ...), type and device of `like`."""
        return self._draw(torch.rand, like)

    def normal(self, like: Tensor) -> Tensor:
        """Standard normal, of the shape (B, ...), type and device of `like`."""
        return self._draw(torch.randn, like)

    def _draw(self, draw: Callable[..., Tensor], like: Tensor) -> Tensor:
        """Drawn in float32 on the CPU, so that neither the device nor the precision changes the numbers."""
        rows = [draw(like.shape[1:], generator=generator) for generator in self._streams]
        return torch.stack(rows).to(like)
