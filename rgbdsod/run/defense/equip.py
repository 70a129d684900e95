"""What defences need of a network's own training: its alignment heads."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from rgbdsod.attacks.problem import frozen
from rgbdsod.defenses import Chain, Defence
from rgbdsod.defenses.filters.detect import Detect
from rgbdsod.defenses.filters.rebuild import Rebuild
from rgbdsod.defenses.patch.switches.pair_head import PairHead
from rgbdsod.errors import UsageError
from rgbdsod.fusion import MaskedModelling
from rgbdsod.models import SaliencyModel
from rgbdsod.run.patch_defense.judge import judge_of
from rgbdsod.run.streams import NAMES
from rgbdsod.run.trained_alignment import open_alignment
from rgbdsod.types import Inputs

_FOLDER = "checkpoints"
_GROUPS = 4
"""Every patch is hidden once: those of one place in each square of 2x2 patches together."""


def equipped(chain: Chain, model: SaliencyModel) -> Chain:
    """The chain in front of a model, with the trained heads that its parts ask for.

    Raises:
        UsageError: a part does not suit the model, or its training had no such heads.
    """
    return replace(chain, parts=tuple(_equipped(part, model).in_front_of(model) for part in chain.parts))


def _equipped(part: Defence, model: SaliencyModel) -> Defence:
    if isinstance(part, PairHead):
        return replace(part, judge=judge_of(model))
    if isinstance(part, Rebuild):
        return replace(part, rebuilder=rebuilder_of(model))
    if isinstance(part, Detect):
        if part.by == "heads":
            part = replace(part, judge=judge_of(model))
        if part.by == "reconstruction" or part.fallback == "rebuild":
            part = replace(part, rebuilder=rebuilder_of(model))
    return part


def rebuilder_of(model: SaliencyModel) -> Callable[[str, Inputs], Tensor]:
    """What a training with the loss `masked` left beside a network's weights: it draws one input from the other.

    Args:
        model: whose weights are RUN/checkpoints/*.pt of such a training.

    Raises:
        UsageError: its weights are from elsewhere, or that training had no masked modelling.
    """
    source = Path(model.card.source)
    if source.parent.name != _FOLDER:
        raise UsageError(
            "rebuilding an input needs what the network's own training learned of it; train with --masked 0.1 and pass "
            f"--weights RUN/{_FOLDER}/best.pt, or leave it out"
        )
    alignment = open_alignment(source.parents[1], "masked", flag="--weights")
    part, size = alignment.part("masked", MaskedModelling), alignment.model.size

    def draw(name: str, inputs: Inputs) -> Tensor:
        whole = (inputs[name].shape[-2], inputs[name].shape[-1])
        own = {key: F.interpolate(inputs[key], size or whole, mode="bilinear", antialias=True) for key in NAMES}
        rows, columns = (side // part.patch for side in own[name].shape[-2:])
        place = torch.arange(rows * columns, device=own[name].device)
        group = (place // columns % 2) * 2 + place % columns % 2
        with frozen(alignment.model, alignment.parts):
            other = alignment.features(NAMES[1 - NAMES.index(name)], own[NAMES[1 - NAMES.index(name)]])
            drawn = torch.zeros_like(own[name])
            for turn in range(_GROUPS):
                chosen = (group == turn).expand(len(other), -1)
                hidden = alignment.features(name, part.hide(name, own[name], chosen))
                drawn = drawn + _pixels(chosen, rows, part.patch) * part.rebuild(name, hidden, other, chosen)
        return F.interpolate(drawn, whole, mode="bilinear")

    return draw


def _pixels(chosen: Tensor, rows: int, patch: int) -> Tensor:
    """Chosen patches (B,h*w) as pixels (B,1,H,W) of value 1."""
    grid = chosen.view(len(chosen), 1, rows, -1).float()
    return grid.repeat_interleave(patch, 2).repeat_interleave(patch, 3)
