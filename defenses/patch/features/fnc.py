"""Feature-norm clipping: no place of an early layer speaks louder than the mean."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from rgbdsod.defenses.patch.features.victim import Victim
from rgbdsod.defenses.patch.purifier import Defence, Purified
from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs

_TINY = 1e-12


@dataclass(frozen=True, eq=False, kw_only=True)
class FeatureNormClipping(Defence):
    """Feature vectors longer than their image's mean length are brought to it, after the first stages of the victim.

    The inputs stay as they are; the victim is changed while the defence is `installed`. The clipping is differentiable
    almost everywhere, and its gradient is that of the changed victim. Its score is 0: it looks for nothing.

    Args:
        on: the inputs whose encoders are clipped; None: all of the victim's.
        stages: how many of the first sizes of each encoder are clipped, 1 or more.
        model: the victim: a saliency network or a detector.
        layers: names of the clipped modules; `in_front_of` finds them.

    Raises:
        UsageError: fewer than one stage, no victim, or one whose encoder has fewer stages.

    Source: Yu et al., "Defending Against Universal Adversarial Patches by Clipping Feature Norms", ICCV 2021.
    """

    stages: int = 2
    model: object = None
    layers: tuple[str, ...] = ()

    name: ClassVar[str] = "fnc"

    def __post_init__(self) -> None:
        if self.stages < 1:
            raise UsageError(f"stages={self.stages}; pass 1 or more")

    def in_front_of(self, victim: object) -> Self:
        """The same defence for this victim.

        Raises:
            UsageError: there is none, nothing is known of its inside, or it has fewer stages.
        """
        seen = Victim(victim, self.name)
        names: dict[str, None] = {}
        for key in self.on or seen.inputs:
            found = seen.stages(key)
            if len(found) < self.stages:
                raise UsageError(
                    f'{self.name} clips {self.stages} stages, and {seen.name} shows {len(found)} of its "{key}" input; '
                    "pass fewer stages"
                )
            names |= dict.fromkeys(found[: self.stages])
        return replace(self, model=victim, layers=tuple(names))

    def __call__(self, inputs: Inputs) -> Purified:
        """The inputs themselves: what changes is the victim."""
        first = next(iter(self.images(inputs).values()))
        return Purified(dict(inputs), torch.zeros_like(first[:, :1]), first.new_zeros(len(first)))

    @contextmanager
    def installed(self) -> Iterator[None]:
        """While it lasts, the victim's first stages are clipped.

        Raises:
            UsageError: the victim is not known yet.
        """
        if not self.layers:
            raise UsageError(f"{self.name} changes a network; call .in_front_of(model) first")
        network = Victim(self.model, self.name).network
        with ExitStack() as stack:
            for name in self.layers:
                stack.callback(network.get_submodule(name).register_forward_hook(_clip).remove)
            yield


def clipped(features: Tensor) -> Tensor:
    """Feature maps (B,C,h,w) whose vectors are no longer than the mean length of their image."""
    norm = features.norm(dim=1, keepdim=True)
    mean = norm.mean((2, 3), keepdim=True)
    shortened: Tensor = features * (mean / norm.clamp_min(_TINY)).clamp_max(1)
    return shortened


def _clip(module: nn.Module, args: Any, output: Any) -> Any:
    return clipped(output) if isinstance(output, Tensor) else output
