"""Between a clean and a hardened network: weights on the line from one to the other."""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rgbdsod.datasets import Dataset
from rgbdsod.errors import UsageError
from rgbdsod.models import SaliencyModel
from rgbdsod.run.attack import attack
from rgbdsod.run.checkpoint import Progress, save_checkpoint


def interpolate(clean: SaliencyModel, robust: SaliencyModel, alpha: float) -> SaliencyModel:
    """A network with the weights `(1 - alpha) clean + alpha robust`; BatchNorm's statistics are mixed alike.

    Points between two trainings that began apart are of little use; harden with `init=` the clean weights.

    Args:
        clean: a network; robust: another of the same design.
        alpha: share of the robust weights, in [0, 1]; 0 and 1 are the two networks, bit for bit.

    Returns:
        A new network in evaluation mode.

    Raises:
        UsageError: the share is out of range, or the networks are of different designs.

    Source:
        Wortsman et al., Robust fine-tuning of zero-shot models, arXiv 2109.01903, equation 1.

    Example:
        >>> import rgbdsod
        >>> model = rgbdsod.load_model("d3net", device="cpu")
        >>> rgbdsod.interpolate(model, model, 0.5).name
        'd3net.demo'
    """
    if not 0 <= alpha <= 1:
        raise UsageError(f"--alpha {alpha:g}: a share of the robust weights, from 0 to 1")
    mine, theirs = clean.network.state_dict(), robust.network.state_dict()
    if {name: value.shape for name, value in mine.items()} != {name: value.shape for name, value in theirs.items()}:
        raise UsageError(
            f"{clean.name} and {robust.name} are networks of different designs; pass two trainings of one --model, "
            "--fusion and --encoder"
        )
    between = deepcopy(clean).eval()
    between.network.load_state_dict({name: _mixed(mine[name], theirs[name], alpha) for name in mine})
    return between


def _mixed(clean: Tensor, robust: Tensor, alpha: float) -> Tensor:
    """Whole numbers, which count batches, are those of the robust network."""
    if not clean.is_floating_point() or alpha == 1:
        return robust
    with torch.no_grad():
        return clean if alpha == 0 else (1 - alpha) * clean + alpha * robust.to(clean)


@dataclass(frozen=True)
class CurvePoint:
    """One network on the line, and its measures (benchmark protocol).

    Args:
        alpha: share of the robust weights.
        weights: its file.
        clean: measures by name; empty where nothing was attacked.
        robust: the same under the attack.
    """

    alpha: float
    weights: Path
    clean: dict[str, float]
    robust: dict[str, float]


def interpolation_curve(
    clean: SaliencyModel,
    robust: SaliencyModel,
    alphas: Sequence[float],
    *,
    out: str | Path,
    data: Dataset | None = None,
    **attacked: Any,
) -> Iterator[CurvePoint]:
    """Write the weights of each point, and measure it.

    Args:
        clean, robust: as for `interpolate`.
        alphas: shares of the robust weights.
        out: folder for the weights, one file a share.
        data: what to attack; None measures nothing.
        attacked: arguments of `rgbdsod.attack`, such as `attack`, `modality`, `eps` and `steps`.
    """
    for alpha in alphas:
        between = interpolate(clean, robust, alpha)
        path = Path(out) / f"alpha-{alpha:g}.pt"
        save_checkpoint(path, between.network, Progress({"alpha": alpha}))
        values: list[dict[str, float]] = [{}, {}]
        if data is not None:
            metrics = attack(between, data, save_images="none", **attacked).metrics
            found = (metrics["clean"], metrics["results"][0]["attacked"])
            values = [dict(part["benchmark"]["values"]) for part in found]
        yield CurvePoint(alpha, path, *values)
