"""Bounds that a zero-shot run must keep: `--fail-under robust=0.3`."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rgbdsod.errors import CheckError, UsageError

Bounds = Mapping[str, float]
"""By the name of an accuracy, "clean" or "robust", what it must not be below."""

_NAMES = ("robust", "clean")


def read_bounds(texts: Sequence[str] | None, *, attacked: bool) -> Bounds:
    """Read "robust=X" and "clean=X", shares from 0 to 1, several of them separated by commas.

    Args:
        texts: as the user wrote them.
        attacked: whether the run has an attack, without which nothing is robust.

    Raises:
        UsageError: a text of another form, another name, a number that is no share.
    """
    return dict(_read(part.strip(), attacked) for text in texts or () for part in text.split(","))


def check_bounds(metrics: Mapping[str, Any], bounds: Bounds, run: object) -> None:
    """Compare the zero-shot mean, or of one set its own value, under every attack and radius with the bounds.

    Args:
        metrics: content of the run's metrics.json.
        bounds: what must be kept.
        run: its folder, for the message.

    Raises:
        CheckError: naming each accuracy, its value and the bound that it misses.
    """
    missed = [
        f"{name} is {row[name]:.4f} {where[name]} ({of}, {run}), below the bound {bound:g}"
        for of, where, row in _judged(metrics)
        for name, bound in bounds.items()
        if row[name] is not None and row[name] < bound
    ]
    if missed:
        raise CheckError("; ".join(dict.fromkeys(missed)))


def _read(text: str, attacked: bool) -> tuple[str, float]:
    name, _, number = (part.strip() for part in text.partition("="))
    try:
        value = float(number)
    except ValueError:
        value = -1.0
    if name not in _NAMES or not 0 <= value <= 1:
        raise UsageError(f'--fail-under "{text}": expected robust=X or clean=X, X from 0 to 1, for example robust=0.3')
    if name == "robust" and not attacked:
        raise UsageError(f'--fail-under "{text}": nothing is attacked; pass --attack, or a bound of clean')
    return name, value


def _judged(metrics: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, str], Mapping[str, Any]]]:
    """The rows that count, each with what it is of and where: the zero-shot means, else all means, else all rows."""
    from rgbdsod.run.threats import show_eps

    averages = metrics["averages"]
    means = [row for row in averages if "zero-shot" in row["name"]] or averages
    for row in means or metrics["rows"]:
        of = f"{row['name']} of {row['sets']} sets" if means else row["data"]
        place = "" if row["share"] is None else f", share {row['share']:g}"
        attack = "" if row["attack"] is None else f"under {row['attack']} at {show_eps(row['eps'])}"
        where = {"clean": f"on the clean images{place}", "robust": attack + place}
        yield of, where, {"robust": None, **row}
