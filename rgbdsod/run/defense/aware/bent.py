"""A chain whose filters have the gradient of the identity."""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from rgbdsod.attacks import Bpda
from rgbdsod.defenses import Chain
from rgbdsod.defenses.patch.purifier import Defence, Purified
from rgbdsod.defenses.patch.switches.switch import Switch
from rgbdsod.types import Inputs


@dataclass(frozen=True, eq=False, kw_only=True)
class Bent(Defence):
    """The values of a defence with the gradient of the identity, for each input by itself.

    Args:
        on: not used.
        part: the defence.

    Source: Athalye et al., "Obfuscated Gradients Give a False Sense of Security", arXiv 1802.00420, section 4.1.
    """

    part: Defence

    name: ClassVar[str] = "bent"
    straight: ClassVar[bool] = True

    def __call__(self, inputs: Inputs) -> Purified:
        """The values, and the other gradient for the inputs that change."""
        with torch.no_grad():
            true = self.part(inputs)
        changed = {
            name: _valued(value, inputs[name]) for name, value in true.inputs.items() if value is not inputs[name]
        }
        return true._replace(inputs={**inputs, **changed})


def bent(chain: Chain) -> Chain:
    """The chain as if its filters that draw nothing did nothing; a switch, and what draws, keeps its own gradient."""
    return replace(chain, parts=tuple(Bent(part=part) if bendable(part) else part for part in chain.parts))


def bendable(part: Defence) -> bool:
    """Whether a part's gradient can be taken for that of the identity."""
    return not part.random and not isinstance(part, Switch)


def _valued(value: Tensor, image: Tensor) -> Tensor:
    found: Tensor = Bpda(lambda _: value)(image)
    return found
