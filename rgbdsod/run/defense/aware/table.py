"""Which attacks each defence gets, by what is in its chain."""

from collections.abc import Iterator
from dataclasses import replace

from rgbdsod.attacks.table import ATTACKS
from rgbdsod.defenses import Chain
from rgbdsod.run.attack_settings import AttackPlan
from rgbdsod.run.defense.aware.bent import bendable
from rgbdsod.run.defense.aware.way import NOTHING, SEARCH, Way
from rgbdsod.run.defense.choice import DefenseChoice

_OVERLAP = "soft-iou"
"""The objective that is nearest to what the verdict measures."""

QUICK = (
    Way(name="pgd", summary="steps along the gradient, or the stand-in's, from a random start"),
    Way(name="apgd", summary="steps that find their size", attack="apgd"),
)
"""What every defence gets, at any effort."""

STANDARD = (
    Way(name="hide", summary="towards an empty map", goal="hide"),
    Way(name="overlap", summary="against the soft IoU, from two starts", objective=_OVERLAP, restarts=2),
    Way(name="overlap apgd", summary="the same by steps that find their size", attack="apgd", objective=_OVERLAP),
    Way(name="bold", summary="from corner to corner of the budget", objective=_OVERLAP, stride=1.0),
)
"""What every defence gets besides, from the start on."""

FILTER = (
    Way(name="identity", summary="as if filters did nothing", objective=_OVERLAP, gradient="identity"),
    Way(name="blurred", summary="as if filters blurred", objective=_OVERLAP, gradient="blurred"),
)
"""Where a part filters and draws nothing."""

RANDOM = (
    Way(name="many draws", summary="with memory, over more draws", attack="mifgsm", objective=_OVERLAP, draws=3,
        stride=0.25),
)  # fmt: skip
"""Where a part draws."""

ONWARD = (
    Way(name="warm", summary="from the attack that does not know the defence", start="unaware", stride=0.1),
    Way(name="onward", summary="from the worst so far", start="worst", times=2),
    Way(name="onward hide", summary="the same, towards an empty map", goal="hide", start="worst", times=2),
    Way(name="onward overlap", summary="the same, against the soft IoU", attack="apgd", objective=_OVERLAP,
        start="worst", times=2),
)  # fmt: skip
"""What every defence gets at the end."""

LONGEST = (
    Way(name="onward far", summary="the same, much longer", attack="apgd", objective=_OVERLAP, start="worst", times=10),
)
"""What a thorough run adds."""

BY_SCORES = Way(name=SEARCH, summary="random windows, kept where the IoU falls", attack=SEARCH, start="worst")


def plan(chain: Chain, run: AttackPlan, choice: DefenseChoice) -> Iterator[Way]:
    """The attacks on a defence, in their order; those that do not take the run's norm are left out.

    Args:
        chain: the defence.
        run: the run's own attack, which is the first.
        choice: effort, and weights of a switch's score.
    """
    own = run.settings.attack
    first = [] if own in [way.name for way in QUICK] else [Way(name=own, summary="the run's own", attack=own)]
    ways = [*first, *sorted(QUICK, key=lambda way: way.name != own), *_quiet(chain, choice)]
    if choice.effort != "quick":
        ways += [*STANDARD, *_special(chain), *ONWARD]
    if choice.effort == "thorough":
        ways += LONGEST
    if choice.searches:
        ways.append(BY_SCORES)
    return (way for way in ways if run.norm in ATTACKS[way.attack].norms)


def _quiet(chain: Chain, choice: DefenseChoice) -> list[Way]:
    """PGD with a switch's score in the loss, once for each weight."""
    weights = choice.weights if chain.switch is not None else ()
    return [
        Way(name=f"quiet {weight:g}", summary="with the switch's score in the loss", quiet=weight)
        for weight in weights if weight
    ]  # fmt: skip


def _special(chain: Chain) -> Iterator[Way]:
    """What suits the parts of a chain."""
    filters = any(bendable(part) for part in chain.parts)
    if filters:
        yield from FILTER
    if chain.random:
        yield from RANDOM
    if chain.switch is None or chain.switch is not chain.parts[-1]:
        return
    for world in (NOTHING, *chain.switch.watched):
        name = f"{world} dropped"
        way = Way(name=name, summary="where the switch is to drop so, and harm what is left", world=world,
                  objective=_OVERLAP)  # fmt: skip
        yield way
        if filters:
            yield replace(way, name=f"{name}, blurred", gradient="blurred")
