"""A moving average of a network's weights."""

from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from rgbdsod.models import SaliencyModel


def moving_average(model: SaliencyModel, share: float) -> AveragedModel:
    """A copy whose weights and statistics follow the model's, each a moving average.

    Source: Izmailov et al., "Averaging Weights Leads to Wider Optima", arXiv 1803.05407, with exponential weights.
    """
    follow = get_ema_multi_avg_fn(share)  # type: ignore[no-untyped-call]
    return AveragedModel(model, multi_avg_fn=follow, use_buffers=True)
