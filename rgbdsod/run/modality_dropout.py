"""Modality dropout: now and then the network must do with one input."""

from collections.abc import Mapping, Sequence

import numpy as np
from torch import Tensor


def dropped(
    inputs: Mapping[str, Tensor], names: Sequence[str], share: float, *, seed: int, iteration: int
) -> dict[str, Tensor]:
    """Inputs in which, for a share of the images, one input is replaced by its own mean.

    Args:
        inputs: by name, (B,C,H,W).
        names: those that may be lost; at most one per image is.
        share: probability in [0, 1] that an image loses one.
        seed: of the training; iteration: of the step.

    Returns:
        All of `inputs`, the named ones perhaps changed.

    Source:
        Neverova et al., ModDrop, arXiv 1501.00102, section 3.2; the mean in place of zeros is this project's.
    """
    rng = np.random.default_rng((seed, iteration, 11))
    count = len(inputs[names[0]])
    lost = np.where(rng.random(count) < share, rng.integers(len(names), size=count), -1)
    result = dict(inputs)
    for place in np.flatnonzero(lost >= 0):
        name = names[lost[place]]
        if result[name] is inputs[name]:
            result[name] = inputs[name].clone()
        result[name][place] = inputs[name][place].mean((1, 2), keepdim=True)
    return result
