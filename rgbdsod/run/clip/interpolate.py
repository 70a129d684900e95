"""The way from the original weights to the tuned ones: `theta = (1 - a) theta_original + a theta_tuned`."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from torch import Tensor

from rgbdsod.clip import ClipModel
from rgbdsod.errors import UsageError
from rgbdsod.run.weight_line import mixed


class WeightPath:
    """The image encoder's weights anywhere between two states.

    Args:
        model: with the tuned weights; its weights are exchanged in place while a point is in use.
        original: the image encoder's weights before tuning.

    Raises:
        UsageError: the two states are not of one architecture.

    Source:
        Wortsman et al., Robust fine-tuning of zero-shot models, arXiv 2109.01903, equation 1; for adversarially tuned
        encoders in the released code of TeCoA, arXiv 2212.07016.
    """

    def __init__(self, model: ClipModel, original: Mapping[str, Tensor]) -> None:
        self._visual = model.visual
        self._tuned = {name: value.detach().clone() for name, value in model.visual.state_dict().items()}
        self._original = dict(original)
        shapes = ({name: value.shape for name, value in state.items()} for state in (self._tuned, self._original))
        if len({tuple(sorted(own.items())) for own in shapes}) > 1:
            raise UsageError("original and tuned weights are of different architectures; pass those of one model")

    @contextmanager
    def at(self, share: float) -> Iterator[None]:
        """The model at one point; afterwards it has the tuned weights again.

        Args:
            share: of the tuned weights; 0 is the original, 1 the tuned model, both bit for bit.
        """
        self._load({name: mixed(self._original[name], tuned, share) for name, tuned in self._tuned.items()})
        try:
            yield
        finally:
            self._load(self._tuned)

    def _load(self, state: Mapping[str, Tensor]) -> None:
        self._visual.load_state_dict(dict(state))
