"""Whether a run's figures can be believed: from its rows alone, or by more attacks on a few of its images."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import torch

from rgbdsod.attacks import MapProblem
from rgbdsod.attacks.checks import effort
from rgbdsod.attacks.checks.check import Check
from rgbdsod.attacks.checks.health import health
from rgbdsod.attacks.table import ATTACKS
from rgbdsod.datasets import Dataset
from rgbdsod.metrics import MaskCache
from rgbdsod.models import SaliencyModel, load_model
from rgbdsod.run.attack_piece import AttackPiece
from rgbdsod.run.attack_settings import AttackPlan
from rgbdsod.run.modeling import device_of

_MOST = 8  # images of a check; its passes are many
_ROUNDING = 0.1  # share of fooled images that rounding to image files may lose
_BUILT_IN = ("bbsnet", "jldcf", "d3net")

Row = dict[str, Any]


def row_checks(rows: Sequence[Row], plan: AttackPlan) -> list[dict[str, Any]]:
    """What an attack's own rows say; no further pass.

    Args:
        rows: one per image.
        plan: what was done.
    """
    row, checks = ATTACKS[plan.settings.attack], [_budget(rows, plan), _rounding(rows)]
    if row.aim == "strongest" and row.knowledge == "white":
        gains = [a["loss"] - a["start_loss"] for a in rows if None not in (a["loss"], a["start_loss"])]
        late = [a["late_gain"] for a in rows if a.get("late_gain") is not None]
        checks += [effort.rises(torch.tensor(gains))] if gains else []
        checks += [effort.converged(torch.tensor(late))] if late else []
    return [asdict(check) for check in checks]


def full_checks(model: SaliencyModel, data: Dataset, plan: AttackPlan, cache: MaskCache) -> list[dict[str, Any]]:
    """The attack beside what must be weaker, equal or stronger, on a few images of one size.

    Args:
        model, data, plan: what was attacked, and how; of several radii the last.
        cache: keeps what depends on a mask alone.
    """
    sizes = data.sizes()
    usual = max(set(sizes), key=sizes.count)
    chosen = [place for place, size in enumerate(sizes) if size == usual][:_MOST]
    samples = [data[place] for place in chosen]
    piece = AttackPiece(model, samples, plan, cache)
    other = _other(model, plan)
    surrogate = None if other is None else AttackPiece(other, samples, plan, cache).problem
    checks = health(
        piece.attacked,
        piece.clean,
        piece.threat(plan.radii[-1]),
        attack=plan.settings.attack,
        settings=plan.parameters,
        surrogate=surrogate if isinstance(surrogate, MapProblem) else None,
        seed=plan.settings.seed,
        sample_ids=[sample.id for sample in samples],
        precision=plan.settings.dtype,
    )
    return [asdict(check) for check in checks]


def _other(model: SaliencyModel, plan: AttackPlan) -> SaliencyModel | None:
    """Another built-in network of the same inputs, whose examples should be weaker than those made on the model."""
    name = next((name for name in _BUILT_IN if name != model.card.architecture), None)
    if name is None or ATTACKS[plan.settings.attack].knowledge != "white":
        return None
    other = load_model(name, device=str(device_of(model)))
    return other if other.inputs == model.inputs else None


def _budget(rows: Sequence[Row], plan: AttackPlan) -> Check:
    excess = max(
        (row[f"{name}_{plan.norm}"] or 0.0) - row[f"eps_{name}"] * (1 + 1e-6) for row in rows for name in plan.inputs
    )
    return Check.of(
        "the budget holds",
        excess <= 1e-6,
        "no file holds a change beyond its radius" if excess <= 1e-6 else f"a file is {excess:.3g} beyond its radius",
        "this is a fault of the attack: report it",
    )


def _rounding(rows: Sequence[Row]) -> Check:
    kept, before = sum(row["fooled"] for row in rows), sum(row["fooled_float"] for row in rows)
    return Check.of(
        "saving keeps the attack",
        before - kept <= max(1, _ROUNDING * len(rows)),
        f"{before} images are fooled before rounding to image files, {kept} after",
        "rounding undoes the attack: let it round itself with --levels 256, or give it a larger radius",
    )
