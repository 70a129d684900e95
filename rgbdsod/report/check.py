"""Bounds that a run must keep: `--fail-under sm=0.8`."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan, nan

from rgbdsod.errors import CheckError, UsageError
from rgbdsod.report.reading import Run
from rgbdsod.report.training import best_validation
from rgbdsod.report.values import attacked_values, better, clean_values, results
from rgbdsod.report.wording import show_radii

_SHORT = {"iou": "iou_bin", "ber": "ber_bin"}


@dataclass(frozen=True)
class Bound:
    """A metric must not be worse than a number.

    Args:
        metric: a name in metrics.json.
        protocol: "benchmark" or "raw".
        value: the bound; a metric that is better when lower must not be above it.
        text: as the user wrote it.
    """

    metric: str
    protocol: str
    value: float
    text: str


def read_bounds(bounds: str | Sequence[str] | None) -> list[Bound]:
    """Read "METRIC=X" texts.

    Raises:
        UsageError: for a text of another form.
    """
    texts = [bounds] if isinstance(bounds, str) else list(bounds or ())
    return [_read(part.strip()) for text in texts for part in text.split(",")]


def _read(text: str) -> Bound:
    name, _, number = (part.strip() for part in text.partition("="))
    try:
        value = float(number)
    except ValueError:
        value = nan
    if not name or isnan(value):
        raise UsageError(f'--fail-under "{text}": expected METRIC=X, for example sm=0.8 (or sm_raw=0.8, mae=0.1)')
    protocol = "raw" if name.endswith("_raw") else "benchmark"
    metric = name.removesuffix("_raw")
    return Bound(_SHORT.get(metric, metric), protocol, value, text)


def check(runs: Sequence[Run], bounds: Sequence[Bound]) -> None:
    """Compare every run's values (under attack where there is one, at every radius) with the bounds.

    Raises:
        CheckError: naming each metric, its value and the bound that it misses.
        UsageError: for a metric that a run does not have.
    """
    missed = [text for run in runs for bound in bounds for text in _missed(run, bound)]
    if missed:
        raise CheckError("; ".join(missed))


def _missed(run: Run, bound: Bound) -> list[str]:
    lower_is_better = bound.metric == "mae" or better(run, bound.metric) == "down"
    texts = []
    for where, values in _views(run, bound.protocol):
        if bound.metric not in values:
            raise UsageError(
                f'--fail-under "{bound.text}": {run.path} has no {bound.metric}, it has {", ".join(values)}'
            )
        value = values[bound.metric]
        if value > bound.value if lower_is_better else value < bound.value:
            side = "above" if lower_is_better else "below"
            texts.append(
                f"{bound.metric} is {value:.4f} {where} ({bound.protocol} protocol, {run.path}), "
                f"{side} the bound {bound.value:g}"
            )
    return texts


def _views(run: Run, protocol: str) -> list[tuple[str, dict[str, float]]]:
    """Where a metric is looked up: every radius of an attack, an evaluation's values, a training's best validation."""
    if run.command == "train":
        numbers = {name: value for name, value in best_validation(run).items() if isinstance(value, int | float)}
        return [("at the best validation", {name: value for name, value in numbers.items() if name != "iteration"})]
    if "clean" not in run.metrics:
        raise UsageError(f"{run.path} is a run of rgbdsod {run.command}, which no bound fits; leave --fail-under out")
    found = results(run)
    if not found:
        return [("on the clean maps", dict(clean_values(run, protocol)))]
    return [(f"under attack at {show_radii(own['budget'])}", dict(attacked_values(own, protocol))) for own in found]
