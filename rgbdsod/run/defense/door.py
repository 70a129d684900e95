"""What is checked of an attack before defences are measured by it."""

from rgbdsod.attacks.table import ATTACKS
from rgbdsod.errors import UsageError
from rgbdsod.run.attack_settings import AttackPlan

_HERE = "; pass one with a radius, such as pgd"


def check_attack(plan: AttackPlan) -> None:
    """Refuse an attack that cannot stand beside the others, which all stay within one radius of the clean image.

    Raises:
        UsageError: several radii, none, or one that allows everything; an attack without a radius, without steps, or
            that is a column of its own.
    """
    name = plan.settings.attack
    row, (radii, *more) = ATTACKS[name], plan.radii
    if more:
        raise UsageError(f"--eps has {len(plan.radii)} values, and defend takes one; run it once for each")
    if row.aim == "nearest":
        raise UsageError(f"--attack {name} looks for the smallest change, and defend compares within a radius{_HERE}")
    if name == "noise":
        raise UsageError(f"--attack noise is in every table, as a column{_HERE}")
    if row.eps is not None and row.eps >= 1:
        raise UsageError(f"--attack {name} changes its pixels at will, and defend compares within a radius{_HERE}")
    if not any(radii.values()):
        raise UsageError("--eps 0 lets an attack change nothing; pass a radius such as 4/255")
    if plan.parameters.get("steps", 1) < 1:
        raise UsageError(f"--steps {plan.parameters['steps']} is no attack; pass 1 or more")
