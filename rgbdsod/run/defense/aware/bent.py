"""A chain whose filters have another gradient than their own."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from rgbdsod.attacks import Bpda
from rgbdsod.defenses import Chain, Defence, Purified
from rgbdsod.defenses.patch.switches.switch import Switch
from rgbdsod.run.defense.aware.way import Gradient
from rgbdsod.types import Inputs

_WINDOW = 5


@dataclass(frozen=True, eq=False, kw_only=True)
class Bent(Defence):
    """The values of a defence with the gradient of another function of each input by itself.

    Args:
        on: not used.
        part: the defence.
        substitute: what the gradient is of; None: the identity.

    Source: Athalye et al., "Obfuscated Gradients Give a False Sense of Security", arXiv 1802.00420, section 4.1.
    """

    part: Defence
    substitute: Callable[[Tensor], Tensor] | None = None

    name: ClassVar[str] = "bent"
    straight: ClassVar[bool] = True

    def __call__(self, inputs: Inputs) -> Purified:
        """The values, and the other gradient for the inputs that change."""
        with torch.no_grad():
            true = self.part(inputs)
        values = {
            name: inputs[name] if value is inputs[name] else _valued(value, inputs[name], self.substitute)
            for name, value in true.inputs.items()
        }
        return true._replace(inputs=values)


def bent(chain: Chain, gradient: Gradient) -> Chain:
    """The chain with this gradient for filters that draw nothing; a switch, and what draws, keeps its own."""
    if gradient == "own":
        return chain
    substitute = _blurred if gradient == "blurred" else None
    return replace(chain, parts=tuple(
        Bent(part=part, substitute=substitute) if bendable(part) else part for part in chain.parts
    ))  # fmt: skip


def bendable(part: Defence) -> bool:
    """Whether a part's gradient can be taken for that of another function of the same pixels."""
    return not part.random and not isinstance(part, Switch)


def _valued(value: Tensor, image: Tensor, substitute: Callable[[Tensor], Tensor] | None) -> Tensor:
    found: Tensor = Bpda(lambda _: value, substitute)(image)
    return found


def _blurred(image: Tensor) -> Tensor:
    """The mean of each pixel's window, as most filters nearly are."""
    return avg_pool2d(image, _WINDOW, 1, _WINDOW // 2, count_include_pad=False)
