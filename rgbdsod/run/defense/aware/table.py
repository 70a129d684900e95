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

_COOLED = Way(
    name="", attack="mifgsm", objective=_OVERLAP, times=2, least=40, stride=1.0,
    settings={"decay": 0.75, "cooling": 0.02},
)  # fmt: skip
"""Steps with memory, first from corner to corner of the budget, then ever smaller: filters let large steps through."""

QUICK = (
    Way(name="pgd", summary="steps along the gradient, or the stand-in's, from a random start"),
    Way(name="apgd", summary="steps that find their size", attack="apgd"),
)
"""What every defence gets, at any effort."""

STANDARD = (
    replace(_COOLED, name="overlap", summary="against the soft IoU", times=5, least=100),
    replace(_COOLED, name="hide", summary="towards an empty map: nothing for long, then all at once", goal="hide",
            objective=None, times=5, least=100),
    replace(_COOLED, name="turn", summary="against the pixels that are still right", objective="masked-bce", times=5,
            least=100),
    replace(_COOLED, name="fill", summary="towards a map that is object everywhere", goal="fill", objective=None),
)  # fmt: skip
"""What every defence gets besides, from the start on."""

FILTER = (replace(_COOLED, name="identity", summary="as if filters did nothing", gradient="identity"),)
"""Where a part filters and draws nothing."""

RANDOM = (replace(_COOLED, name="many draws", summary="over more draws", draws=3),)
"""Where a part draws."""

GATED = (
    replace(_COOLED, name="gate shut", summary="where the network itself is to drop depth", gate="shut"),
    replace(_COOLED, name="gate open", summary="where the network itself is to let depth in", gate="open"),
)
"""Where the network has a switch of its own."""

ONWARD = (
    replace(_COOLED, name="onward sharp", summary="from the worst so far, against an IoU that sees the cut alone",
            start="worst", sharp=3.0, times=5, least=100),
    replace(_COOLED, name="onward overlap", summary="from the worst so far, against the soft IoU", start="worst",
            stride=0.5, times=5, least=100),
    replace(_COOLED, name="onward hide", summary="from the worst so far, towards an empty map", start="worst",
            goal="hide", objective=None, stride=0.5, times=3, least=60),
)  # fmt: skip
"""What every defence gets at the end."""

LONGEST = tuple(replace(way.longer(4), name=way.name.replace("onward", "further")) for way in ONWARD)
"""What a thorough run adds."""

BY_SCORES = Way(name=SEARCH, summary="random windows, kept where the IoU falls", attack=SEARCH, start="worst")
"""The search."""


def plan(chain: Chain, run: AttackPlan, choice: DefenseChoice, *, gated: bool = False) -> list[Way]:
    """The attacks on a defence, in their order; those that do not take the run's norm are left out.

    Args:
        chain: the defence.
        run: the run's own attack, which is the first.
        choice: effort, and weights of a switch's score.
        gated: whether the network itself has a switch that drops depth.
    """
    own = run.settings.attack
    first = [] if own in [way.name for way in QUICK] else [Way(name=own, summary="the run's own", attack=own)]
    ways = [*first, *sorted(QUICK, key=lambda way: way.name != own), *_quiet(chain, choice)]
    if choice.effort != "quick":
        ways += [*STANDARD, *_special(chain), *(GATED if gated else ()), *ONWARD]
    if choice.effort == "thorough":
        ways += LONGEST
    if choice.searches:
        ways.append(BY_SCORES)
    return [way for way in ways if run.norm in ATTACKS[way.attack].norms]


def _quiet(chain: Chain, choice: DefenseChoice) -> list[Way]:
    """PGD with a switch's score in the loss, once for each weight."""
    weights = choice.weights if chain.switch is not None else ()
    return [
        Way(name=f"quiet {weight:g}", summary="with the switch's score in the loss", quiet=weight)
        for weight in weights if weight
    ]  # fmt: skip


def _special(chain: Chain) -> Iterator[Way]:
    """What suits the parts of a chain."""
    if any(bendable(part) for part in chain.parts):
        yield from FILTER
    if chain.random:
        yield from RANDOM
    if chain.switch is None or chain.switch is not chain.parts[-1]:
        return
    for world in (NOTHING, *chain.switch.watched):
        yield replace(_COOLED, name=f"{world} dropped", summary="the network that is left then", world=world)
    yield replace(_COOLED, name=f"{NOTHING} dropped, hide", summary="the same, towards an empty map", world=NOTHING,
                  goal="hide", objective=None)  # fmt: skip
