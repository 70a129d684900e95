"""One patch for all pictures, fitted batch by batch; a fit that was interrupted goes on where it stopped."""

import warnings
from pathlib import Path
from typing import Unpack

import torch

from rgbdsod.attacks.budget import Threat
from rgbdsod.attacks.door import check_counts, check_norms, check_numbers
from rgbdsod.attacks.patch.design import Blueprint, Design
from rgbdsod.attacks.patch.expectation import LOOK_EVERY
from rgbdsod.attacks.patch.fit import PatchFit
from rgbdsod.attacks.patch.keeping import read_fit, write_fit
from rgbdsod.attacks.patch.patch import Patch
from rgbdsod.attacks.universal.fitting import Batches
from rgbdsod.types import Callback

_USUAL: Design = {
    "patch_size": "5%", "shape": "square", "where": "random", "at": "0.5,0.5", "depth_mode": "plane",
    "depth_kind": "unknown", "patch_goal": "own", "transforms": "print", "canvas": 64, "smooth": None,
    "printable": None, "natural": "none", "natural_radius": None, "crops": "demo", "generator": None,
    "naturalness": 0.0, "gate": "none",
}  # fmt: skip


def fit_patch(
    batches: Batches,
    threat: Threat,
    *,
    steps: int = 1000,
    step_size: float = 0.03,
    draws: int = 1,
    looked: int = 4,
    seed: int = 0,
    precision: str = "float32",
    keep: str | Path | None = None,
    callback: Callback | None = None,
    **design: Unpack[Design],
) -> Patch:
    """One patch for all pictures: Adam on batches, fresh places and transforms at each step.

    Every 20 steps the patch is looked at, rounded to 8 bit, on the first batches with places and draws that stay; the
    best is returned. Pictures without a place at a step are left out of it, and so are those that count nothing for the
    victim (its `weights`), such as pictures without objects.

    A fit stops early, with a warning, where a cost of printing outweighs the attack ten times for 50 steps.

    Args:
        batches: (problem, inputs), of any sizes.
        threat: budgets by input, norm "linf": which inputs carry the patch.
        steps: one batch each.
        step_size: of Adam, at first; it falls to a tenth.
        draws: of the transforms in one gradient.
        looked: how many batches are looked at.
        seed: of the order, the places and the draws.
        precision: "float32", or what the networks run in under autocast.
        keep: a .safetensors file for the state, written at each look; one that is there is gone on from.
        callback: called with (steps done, steps in all).
        design: see `adversarial_patch`; by default transforms "print", on a canvas of 64 x 64.

    Returns:
        The patch; its facts say what was done, and what each look found.

    Raises:
        UsageError: nothing to fit on, settings that do not fit together, or a state of other settings.
        DataError: the state cannot be read or written.

    Source: Brown et al., "Adversarial Patch", arXiv 1712.09665.
    """
    check_counts(steps=steps, draws=draws, looked=looked)
    check_numbers(step_size=step_size)
    check_norms("patch", threat, ("linf",))
    with torch.inference_mode(False):
        fit = PatchFit(batches, threat, Blueprint({**_USUAL, **design}, seed), steps, step_size, draws, precision)
        kept = None if keep is None else read_fit(Path(keep), fit.digest)
        if kept is not None:
            fit.resume(kept)
        while fit.step < steps and fit.stopped is None:
            if fit.step % LOOK_EVERY == 0:
                fit.look(looked)
                if keep is not None:
                    write_fit(Path(keep), fit.state(), fit.digest)
            fit.climb()
            if callback is not None:
                callback(fit.step, steps)
        fit.look(looked)
        if fit.stopped is not None:
            warnings.warn(fit.stopped, stacklevel=2)
        return fit.result()
