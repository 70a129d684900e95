"""Training on several ranks: each learns from its part of every batch, and all make the step of the whole."""

from collections.abc import Iterable
from datetime import timedelta

import torch
from torch import Tensor, distributed, nn

from rgbdsod.errors import UsageError
from rgbdsod.models import SaliencyModel
from rgbdsod.run.ranks import Ranks

_PATIENCE = timedelta(hours=2)  # the others wait while the first rank validates


class Peers:
    """The ranks of a torchrun that train one network; making it waits for all of them.

    Args:
        ranks: this process's.
        batch: images of a step, over all ranks.

    Raises:
        UsageError: there are more ranks than images in a step.
    """

    def __init__(self, ranks: Ranks, batch: int) -> None:
        if batch < ranks.count:
            raise UsageError(f"{ranks.count} ranks share steps of {batch} images; give --batch {ranks.count} or more")
        self.share, self.count, self.leads = ranks.share, ranks.count, ranks.index == 0
        distributed.init_process_group(rank=ranks.index, world_size=ranks.count, timeout=_PATIENCE)

    def prepare(self, model: SaliencyModel) -> None:
        """BatchNorm takes its statistics from the whole batch where that is possible, which is on GPUs."""
        if next(model.parameters()).is_cuda:
            model.network = nn.SyncBatchNorm.convert_sync_batchnorm(model.network)  # type: ignore[no-untyped-call]

    def add_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace each gradient by its sum over the ranks, in one message."""
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        whole = torch.cat([gradient.flatten() for gradient in gradients])
        distributed.all_reduce(whole)
        first = 0
        for gradient in gradients:
            gradient.copy_(whole[first : first + gradient.numel()].view_as(gradient))
            first += gradient.numel()

    def total(self, value: Tensor) -> Tensor:
        """The sum of a value over the ranks."""
        found = value.detach().clone()
        distributed.all_reduce(found)
        return found

    def agree(self, model: nn.Module) -> None:
        """Statistics that each rank took from its own part become their mean."""
        for buffer in model.buffers():
            if buffer.is_floating_point():
                distributed.all_reduce(buffer)
                buffer.div_(self.count)

    def wait(self) -> None:
        """Wait until every rank is here."""
        distributed.barrier()

    def leave(self) -> None:
        """The ranks go their own ways."""
        distributed.destroy_process_group()
