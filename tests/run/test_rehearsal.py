"""Every attack that maps can have passes its rehearsal with its own defaults, so that no run stops before it begins."""

import pytest

from rgbdsod.attacks import ATTACKS
from rgbdsod.errors import UsageError
from rgbdsod.run.attack_settings import AttackPlan, AttackSettings
from rgbdsod.run.rehearsal import rehearse

RADII = {"linf": None, "l2": 5.0, "l1": 100.0, "l0": 10.0}
ROWS = [row for row in ATTACKS if row.outputs != "classes"]


def plan(row, **settings):
    norm = "linf" if "linf" in row.norms else row.norms[0]
    eps = None if row.aim == "nearest" else RADII[norm]
    return AttackPlan.of(AttackSettings(attack=row.name, modality="both", eps=eps, **settings), ("rgb", "depth"), "it")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_defaults_are_accepted(row):
    rehearse(plan(row))


def test_what_the_user_typed_is_named():
    with pytest.raises(UsageError, match="--queries 10: 128 coordinates take 258"):
        rehearse(plan(ATTACKS["zoo"], parameters={"queries": 10}))
