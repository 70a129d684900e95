"""Points on the line from one network's weights to another's: those a user names, and what a weight is at each."""

import torch
from torch import Tensor

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


def mixed(original: Tensor, tuned: Tensor, share: float) -> Tensor:
    """One tensor on the line; at 0 and 1 bit for bit that of an end.

    Args:
        original: at 0; tuned: at 1, of the same shape. Whole numbers, which count batches, are always the tuned ones.
        share: from 0 to 1.

    Source:
        Wortsman et al., Robust fine-tuning of zero-shot models, arXiv 2109.01903, equation 1.
    """
    if not tuned.is_floating_point() or share == 1:
        return tuned
    with torch.no_grad():
        return original if share == 0 else (1 - share) * original + share * tuned.to(original)
