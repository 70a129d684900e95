"""What a benchmark is said to cost."""

import pytest

from rgbdsod.run.benchmark.cell import Assault, Cell
from rgbdsod.run.benchmark.contender import Contender
from rgbdsod.run.benchmark.networks import Opener
from rgbdsod.run.benchmark.passes import passes
from rgbdsod.run.benchmark.plan import BACKWARD, Planned, guess, planned

MAPS, CLASSES = Contender("saliency", "bbsnet"), Contender("zero-shot", "clip.demo")


def cell(attack, own=MAPS, eps=8 / 255, **parameters):
    modality = "image" if own is CLASSES else "rgb"
    return Cell(own, "scenes:2@32x32#7", Assault.of(attack, parameters), modality, eps)


@pytest.mark.parametrize("own", [MAPS, CLASSES])
def test_attacks_say_how_many_passes_they_take(own):
    assert passes(cell("noise", own)) == (1, 0)
    assert passes(cell("fgsm", own)) == (2, 1)
    assert passes(cell("pgd-20", own)) == (21, 20)
    assert passes(cell("pgd-5", own, restarts=2))[1] == 10


def test_a_classifier_that_may_not_be_changed_is_not_asked():
    assert passes(cell("pgd-20", CLASSES, 0.0)) == (0, 0)


def test_a_plan_writes_nothing_and_its_guess_says_what_it_rests_on(tmp_path):
    opener = Opener("cpu")
    cells = [cell("fgsm"), cell("pgd-3")]
    plan = planned(cells, tmp_path, opener)
    assert [(own.images, own.done, own.left, own.work) for own in plan] == [
        (2, 0, 2, 2 + BACKWARD), (2, 0, 2, 4 + 3 * BACKWARD)
    ]  # fmt: skip
    found = guess(plan, opener)
    assert found.seconds > 0 and (found.probed, found.known, found.batch) == (1, 1, 1)
    assert "timed here now" in found.basis
    done = [Planned(own.cell, own.key, 2, 2, own.forward, own.backward) for own in plan]
    assert guess(done, opener) is None
    assert list(tmp_path.iterdir()) == []


def test_a_cell_without_weights_is_in_the_plan_with_its_reason(tmp_path):
    own = Cell(Contender("saliency", "bbsnet", "none.pt"), "demo", Assault("fgsm"), "rgb", 8 / 255)
    (found,) = planned([own], tmp_path, Opener("cpu"))
    assert found.left == 0 and "no weights none.pt" in found.problem
