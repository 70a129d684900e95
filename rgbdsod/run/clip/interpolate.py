"""The way from the original weights to the tuned ones: `theta = (1 - a) theta_original + a theta_tuned`."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor

from rgbdsod.clip import ClipModel
from rgbdsod.errors import UsageError
from rgbdsod.run.threats import parse_number

_MOST = 1001  # points of a curve; more is a slip of the pen
_DIGITS = 9


def parse_path(text: str, flag: str = "--interpolate") -> tuple[float, ...]:
    """Shares of the tuned weights: "0:1:0.1" (from, to, step), or a list "0,0.5,1".

    Args:
        text: what the user typed after `flag`.
        flag: its name, for messages.

    Raises:
        UsageError: something else stands there.
    """
    parts = text.split(":")
    if len(parts) == 1:
        return tuple(parse_number(part, flag) for part in text.split(","))
    if len(parts) != 3:
        raise UsageError(f"{flag} {text}: expected FROM:TO:STEP, for example 0:1:0.1")
    start, end, step = (parse_number(part, flag) for part in parts)
    if step <= 0 or end < start or (end - start) / step > _MOST:
        raise UsageError(f"{flag} {text}: expected FROM below TO and a step above 0, for example 0:1:0.1")
    count = int((end - start) / step + 1e-9) + 1
    return tuple(round(start + turn * step, _DIGITS) for turn in range(count))


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
        self._load({name: _between(self._original[name], tuned, share) for name, tuned in self._tuned.items()})
        try:
            yield
        finally:
            self._load(self._tuned)

    def _load(self, state: Mapping[str, Tensor]) -> None:
        self._visual.load_state_dict(dict(state))


def _between(original: Tensor, tuned: Tensor, share: float) -> Tensor:
    """Buffers that count are those of the tuned model."""
    if not tuned.is_floating_point() or share == 1:
        return tuned
    with torch.no_grad():
        return original if share == 0 else (1 - share) * original + share * tuned
