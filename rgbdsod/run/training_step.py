"""One batch of a training, as its losses see it, and what is remembered between batches."""

from collections.abc import Iterator, Sequence

from torch import Tensor

from rgbdsod.models import SaliencyModel
from rgbdsod.models.losses import TrainingLoss
from rgbdsod.run.modality_dropout import dropped
from rgbdsod.types import Inputs


class Memory(dict[str, Tensor]):
    """What a hardening method remembers, in the form that checkpoints take."""

    def state_dict(self) -> dict[str, Tensor]:
        """The tensors by name."""
        return dict(self)


class Step:
    """One step of a training; satisfies `rgbdsod.defenses.TrainingStep`.

    Args:
        model: in training.
        batch: all that `collate` gave, on the model's device.
        loss: of the model's architecture.
        seed: of the training.
        number: of the step, from 0.
        sample_ids: one per sample.
        modality_dropout: share of the images that lose one input, in every pass alike.
        memory: of the hardening method.

    Attributes:
        seen: values by name for the log.
        learned: the inputs, without graph, and the outputs of the latest pass.
    """

    def __init__(
        self,
        model: SaliencyModel,
        batch: dict[str, Tensor],
        loss: TrainingLoss,
        *,
        seed: int,
        number: int,
        sample_ids: Sequence[str],
        modality_dropout: float = 0.0,
        memory: Memory | None = None,
    ) -> None:
        self.model, self.batch, self.seed, self.number, self.sample_ids = model, batch, seed, number, sample_ids
        self.inputs: Inputs = {name: batch[name] for name in model.inputs}
        self.masks = batch["mask"]
        self.memory = Memory() if memory is None else memory
        self.seen: dict[str, Tensor] = {}
        self.learned: tuple[Inputs, dict[str, Tensor]] | None = None
        self._loss, self._share = loss, modality_dropout

    def outputs(self, inputs: Inputs) -> dict[str, Tensor]:
        """All outputs by name, at least float32; some images lose an input on the way."""
        given = inputs
        if self._share:
            given = dropped(inputs, self.model.inputs, self._share, seed=self.seed, iteration=self.number)
        outputs = {name: value.float() for name, value in self.model.outputs(given).items()}
        self.learned = {name: value.detach() for name, value in inputs.items()}, outputs
        return outputs

    def loss(self, outputs: dict[str, Tensor]) -> Tensor:
        """The architecture's training loss, (B,)."""
        return self._loss(outputs, self.masks)

    def logits(self, outputs: dict[str, Tensor]) -> Tensor:
        """The final map's logits, (B,1,H,W)."""
        return self.model.logits(outputs, (self.masks.shape[-2], self.masks.shape[-1]))


def replayed(stream: Iterator[dict[str, Tensor]], times: int, done: int) -> Iterator[dict[str, Tensor]]:
    """Each batch several times in a row.

    Args:
        stream: of batches.
        times: how often each comes.
        done: how often the first has come already.
    """
    for samples in stream:
        for _ in range(done, times):
            yield samples
        done = 0
