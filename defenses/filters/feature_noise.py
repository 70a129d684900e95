"""Noise on the first features of a network."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import ClassVar, Self

import torch
from torch import Tensor, nn

from rgbdsod.defenses.filters.draws import RandomDefence
from rgbdsod.defenses.patch.features.victim import Victim
from rgbdsod.defenses.patch.purifier import Purified
from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs


@dataclass(frozen=True, eq=False, kw_only=True)
class FeatureNoise(RandomDefence):
    """The inputs stay; in the stem of each stream, Gaussian noise is added to the features.

    The stem is the first of `Victim.stages`, whose maps are the largest. LeNo learns the shape and the strength of its
    noise with the network, and a small block that estimates it away; here both are fixed, so that it goes before any
    trained network.

    Args:
        on: the inputs whose stems get noise; None: all.
        seed: of all draws.
        strength: deviation of the noise, as a share of that of each image's own features, above 0.

    Raises:
        UsageError: a strength of 0 or less; a victim that shows no layers.

    Source: after Wang et al., "LeNo: Adversarial Robust Salient Object Detection Networks with Learnable Noise",
        arXiv 2210.15392, section 3.2.
    """

    strength: float = 0.2
    layers: tuple[nn.Module, ...] = field(default=(), init=False, repr=False)

    name: ClassVar[str] = "feature-noise"

    def __post_init__(self) -> None:
        if self.strength <= 0:
            raise UsageError(f"strength={self.strength:g}; pass a share of the features' deviation above 0")

    def in_front_of(self, victim: object) -> Self:
        """The same defence for this victim, whose stems it looks up."""
        seen = Victim(victim, self.name)
        names = self.on or seen.inputs
        if unknown := [name for name in names if name not in seen.inputs]:
            raise UsageError(f'{self.name}: {seen.name} has no input "{unknown[0]}"; pass of {", ".join(seen.inputs)}')
        stems = dict.fromkeys(seen.stages(name)[0] for name in names)
        other = replace(self)
        vars(other).update(layers=tuple(seen.network.get_submodule(stem) for stem in stems))
        return other

    def __call__(self, inputs: Inputs) -> Purified:
        """The very same inputs."""
        first = next(iter(self.images(inputs).values()))
        if not self.layers:
            raise UsageError(f"{self.name} works inside a network; call .in_front_of(model) first")
        nothing = torch.zeros_like(first[:, :1])
        return Purified(dict(inputs), nothing, nothing.flatten(1).mean(1))

    @contextmanager
    def installed(self) -> Iterator[None]:
        """While it lasts, the stems answer with noise."""
        with ExitStack() as stack:
            for layer in self.layers:
                stack.callback(layer.register_forward_hook(self._noisy).remove)
            yield

    def _noisy(self, _: nn.Module, __: object, features: Tensor) -> Tensor:
        """Streams that share an encoder come as one batch, several times as long as that of the images."""
        count = len(features) if self.ids is None else len(self.ids)
        parts = torch.split(features, count)
        return torch.cat([part + self.strength * _spread(part) * self.streams(len(part)).normal(part)
                          for part in parts])  # fmt: skip


def _spread(features: Tensor) -> Tensor:
    """The deviation of each image's features, (B,1,1,1)."""
    return features.flatten(1).std(1)[:, None, None, None]
