"""Who says which input of a network was attacked: the heads of its own training."""

from pathlib import Path

from torch import Tensor

from rgbdsod.attacks.problem import frozen
from rgbdsod.defenses.patch.switches.pair_head import Judge
from rgbdsod.errors import UsageError
from rgbdsod.fusion import Manipulation
from rgbdsod.models import SaliencyModel
from rgbdsod.run.streams import NAMES
from rgbdsod.run.trained_alignment import open_alignment
from rgbdsod.types import Inputs

_FOLDER = "checkpoints"


def judge_of(model: object) -> Judge:
    """The heads that a training with the loss `manipulation` left beside a network's weights.

    Args:
        model: whose weights are RUN/checkpoints/*.pt of such a training.

    Raises:
        UsageError: its weights are from elsewhere, or that training had no such heads.
    """
    source = Path(model.card.source) if isinstance(model, SaliencyModel) else Path()
    if source.parent.name != _FOLDER:
        raise UsageError(
            "a judge by heads comes from the network's own training; train with --manipulation 0.1 and pass --weights "
            f"RUN/{_FOLDER}/best.pt, or leave it out"
        )
    alignment = open_alignment(source.parents[1], "manipulation", flag="--weights")
    head = alignment.part("manipulation", Manipulation)

    def judge(inputs: Inputs) -> Tensor:
        with frozen(alignment.model, alignment.parts):
            return head.logits(*(alignment.features(name, inputs[name]) for name in NAMES))

    return judge
