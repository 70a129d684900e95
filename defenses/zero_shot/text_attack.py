"""Texts moved against the images they belong to, in feature space."""

from collections.abc import Callable

import torch
from torch import Tensor

from rgbdsod.fusion.alignment.precision import full_precision


@full_precision
def moved_texts(loss: Callable[[Tensor], Tensor], texts: Tensor, eta: float) -> Tensor:
    """One signed step up a loss, every channel by `eta`.

    A feature has no box that it must stay in, and one step needs no pass of any encoder; so this is not one of the
    attacks on inputs.

    Args:
        loss: takes texts like these and returns one value per sample, to be raised; image features in it are held.
        texts: (N,D).
        eta: the step, in units of the features.

    Returns:
        (N,D), not normalised, without gradient.
    """
    with torch.enable_grad():
        leaf = texts.detach().requires_grad_()
        (slope,) = torch.autograd.grad(loss(leaf).sum(), leaf)
    return texts.detach() + eta * slope.sign()
