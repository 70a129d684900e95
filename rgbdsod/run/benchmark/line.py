"""A line of the table: what an attack within one radius did to one network, over all seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from rgbdsod.errors import DataError
from rgbdsod.run.ablation.statistics import Draws, Estimate, estimate
from rgbdsod.run.benchmark.cell import Cell
from rgbdsod.run.benchmark.measured import MEASURES, Failure, Flags, Floats, Measured
from rgbdsod.run.clip.accuracy import wilson


def lines(cells: Sequence[Cell], found: Mapping[Cell, Measured], failures: Sequence[Failure]) -> list[dict[str, Any]]:
    """Rows of the table, one for all seeds of a place, in the order of the cells.

    Args:
        cells: all of them.
        found: those that were measured.
        failures: the others.
    """
    places: dict[Any, list[Cell]] = {}
    for cell in cells:
        places.setdefault(_place(cell), []).append(cell)
    errors = {failure.cell: failure.error for failure in failures}
    rows = []
    for own in places.values():
        measured = [found[cell] for cell in own if cell in found]
        lost = [f"seed {cell.seed}: {errors[cell]}" for cell in own if cell in errors]
        rows.append(_head(own[0]) | _numbers(measured) | {"failed": lost})
    return rows


def numbers(measured: Sequence[Measured]) -> dict[str, Any]:
    """What was found at one place, from one seed or several.

    Args:
        measured: of one place, each from another seed, on the same images; at least one.

    Raises:
        DataError: the images differ.
    """
    first = measured[0]
    if any(own.ids != first.ids for own in measured):
        raise DataError(f"the seeds of {first.cell.label} have different images; use --restart")
    clean, attacked = (np.stack([getattr(own, name) for own in measured]) for name in ("clean", "attacked"))
    held, fooled = (np.stack([getattr(own, name) for own in measured]) for name in ("held", "fooled"))
    return {
        "images": len(first.ids), "clean": float(clean.mean()), "attacked": float(attacked.mean()),
        "loss": asdict(relative_loss(clean, attacked)), "held": int(held.sum()), "fooled": int(fooled.sum()),
        "share": asdict(share_fooled(held, fooled)),
    }  # fmt: skip


def relative_loss(clean: Floats, attacked: Floats) -> Estimate:
    """The share of the clean mean that is lost, with a 95 % interval from drawing seeds and images with replacement.

    Args:
        clean, attacked: of the same seeds and images (S, N); a pair stays together.

    Returns:
        No number where the clean mean is 0.
    """
    draws = Draws(*clean.shape)
    return estimate(1 - _ratio(draws.mean(attacked), draws.mean(clean)))


def share_fooled(held: Flags, fooled: Flags) -> Estimate:
    """The share of `fooled` in `held` (S, N): of one seed with Wilson's interval, else from drawing seeds and images.

    Returns:
        No number where nothing was held.
    """
    if len(held) == 1:
        found = wilson(int(fooled.sum()), int(held.sum())) if held.any() else Estimate(None, None, None)
        return Estimate(found.value, found.low, found.high)
    draws = Draws(*held.shape)
    return estimate(_ratio(draws.mean(fooled.astype(float)), draws.mean(held.astype(float))))


def _ratio(above: Floats, below: Floats) -> Floats:
    found: Floats = np.divide(above, below, out=np.full_like(below, np.nan), where=below > 0)
    return found


def _place(cell: Cell) -> Any:
    """All that a cell is but its seed."""
    return cell.contender, cell.data, cell.images, cell.assault, cell.modality, cell.eps


def _head(cell: Cell) -> dict[str, Any]:
    """What a row is about."""
    own = cell.contender
    return {
        "world": own.world, "network": own.label, "model": own.name, "fusion": own.fusion, "training": own.training,
        "weights": own.weights, "data": cell.data, "attack": cell.assault.label, "method": cell.assault.method,
        "parameters": dict(cell.assault.parameters), "modality": cell.modality, "norm": "linf", "eps": cell.eps,
        "measure": MEASURES[own.world],
    }  # fmt: skip


def _numbers(measured: Sequence[Measured]) -> dict[str, Any]:
    """Of a place, nothing where no seed was measured."""
    none = asdict(Estimate(None, None, None))
    empty: dict[str, Any] = {"images": 0, "clean": None, "attacked": None, "loss": none, "held": 0, "fooled": 0,
                             "share": none}  # fmt: skip
    known = {"seeds": [own.cell.seed for own in measured], "cells": [own.key for own in measured]}
    return known | (numbers(measured) if measured else empty)
