"""What a victim behind a defence shows."""

from typing import Any, NamedTuple

from torch import Tensor

from rgbdsod.types import Inputs


class Watched(NamedTuple):
    """What defence and victim make of a batch.

    Args:
        outputs: the victim's, for purified inputs.
        score: how much the defence saw, (B,), with the gradient of its stand-in.
        mask: where it saw it, (B,1,H,W), likewise.
        inputs: what the defence was given.
    """

    outputs: Any
    score: Tensor
    mask: Tensor
    inputs: Inputs
