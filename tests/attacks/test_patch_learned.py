"""A place that is sought with the patch: true gradients, a patch that stays in the picture, and a stronger one."""

from math import radians

import pytest
import torch
from attacks_problems import gains, rand
from patch_scenes import pictures, victim

from rgbdsod.attacks import Budget, adversarial_patch, apply_patch, hang_patch
from rgbdsod.attacks.patch.compose import Canvas, Surface, compose
from rgbdsod.attacks.patch.learned import numbers_of, standing
from rgbdsod.attacks.patch.pose import Pose, homographies
from rgbdsod.attacks.patch.shapes import outline
from rgbdsod.errors import UsageError

SPAN, IMAGE = (6, 9), (24, 30)
RGB = {"rgb": Budget(eps=1.0)}
BOTH = {**RGB, "depth": Budget(eps=1.0)}


def pose(rows=2, canvas=(12, 18)):
    zoom = torch.tensor([[SPAN[1] / canvas[1], SPAN[0] / canvas[0]]], dtype=torch.float64).expand(rows, -1)
    return Pose.facing(torch.full((rows, 2), 9.5, dtype=torch.float64), zoom)


def composed(numbers, mode="none"):
    """The sum of a picture under a patch at a place, weighed at random."""
    inputs = {name: value[:1].double() for name, value in pictures(1, IMAGE).items()}
    hung = standing(pose(1), numbers, SPAN, IMAGE)
    colour = rand(5, 1, 3, 12, 18, dtype=torch.float64)
    canvas = Canvas(outline("disc", 12, 18)[None].double(), colour, numbers.new_full((1,), 0.7))
    found = compose(inputs, canvas, homographies(hung, (12, 18), IMAGE), Surface(mode), hung.tilt)
    return (found.inputs["rgb"] * rand(8, 1, 3, *IMAGE, dtype=torch.float64)).sum()


def test_gradients_of_centre_and_turn_are_true():
    numbers = torch.tensor([0.4137, 0.5291, 0.6113], dtype=torch.float64).view(1, 3, 1)
    leaf = numbers.clone().requires_grad_()
    (found,) = torch.autograd.grad(composed(leaf), leaf)
    step = 1e-6
    for at in range(3):
        by = torch.zeros_like(numbers)
        by[0, at] = step
        slope = (composed(numbers + by) - composed(numbers - by)) / (2 * step)
        assert found[0, at, 0].item() == pytest.approx(slope.item(), rel=1e-4)
        assert abs(slope) > 1e-2


def test_numbers_stand_for_places_and_back():
    upright = pose()._replace(centre=torch.tensor([[4.0, 2.5], [20.3, 11.7]], dtype=torch.float64))
    turned = upright._replace(centre=upright.centre * 0 + 12, roll=torch.tensor([0.3, -1.2], dtype=torch.float64))
    for hung in (upright, turned):
        again = standing(pose(), numbers_of(hung, SPAN, IMAGE), SPAN, IMAGE)
        assert torch.allclose(again.centre, hung.centre)
        assert torch.allclose(again.roll, hung.roll)


def test_no_number_moves_a_patch_out_of_the_picture():
    ends = torch.cartesian_prod(*[torch.tensor([0.0, 0.3, 1.0], dtype=torch.float64)] * 3)[:, :, None]
    places = homographies(standing(pose(len(ends)), ends, SPAN, IMAGE), (12, 18), IMAGE)
    corners = torch.tensor([[-0.5, -0.5, 1], [17.5, -0.5, 1], [-0.5, 11.5, 1], [17.5, 11.5, 1]], dtype=torch.float64)
    seen = places @ corners.T
    x, y = seen[:, 0] / seen[:, 2], seen[:, 1] / seen[:, 2]
    assert x.min() >= -0.5 - 1e-6 and x.max() <= IMAGE[1] - 0.5 + 1e-6
    assert y.min() >= -0.5 - 1e-6 and y.max() <= IMAGE[0] - 0.5 + 1e-6
    wide = standing(pose(1), ends[:1], (23, 28), IMAGE)
    assert wide.roll.item() == 0, "a patch that cannot turn within the picture stays upright"


def test_a_patch_goes_where_it_pays():
    """Every pixel pays more the farther right it is: the patch ends at the right edge, and gains more than it would."""
    weights = {"rgb": torch.linspace(0.1, 1, 20, dtype=torch.float64).expand(1, 3, 20, 20).contiguous()}
    inputs = {"rgb": torch.full((1, 3, 20, 20), 0.5, dtype=torch.float64)}
    settings = {"steps": 200, "step_size": 0.05, "patch_size": "4%", "start": "grey"}
    stays = adversarial_patch(gains(weights), inputs, RGB, **settings)
    goes = adversarial_patch(gains(weights), inputs, RGB, where="learned", **settings)
    assert torch.equal(goes.start_loss.float(), stays.start_loss.float())
    assert goes.loss > stays.loss
    assert goes.mask[0, 0].any(0).nonzero().max() >= 17
    assert int(goes.mask.sum()) == pytest.approx(16, abs=3)


@pytest.mark.parametrize("settings", [{}, {"depth_mode": "card", "transforms": "digital", "draws": 1}])
def test_it_starts_as_random_does_and_its_file_says_where_it_ended(settings):
    (problem, inputs), chosen = (
        victim(2, 24),
        {"steps": 20 if settings else 60, "patch_size": "8%", "patch_goal": "hide"},
    )
    stays = adversarial_patch(problem, inputs, BOTH, **chosen, **settings)
    goes = adversarial_patch(problem, inputs, BOTH, where="learned", **chosen, **settings)
    assert torch.allclose(goes.start_loss, stays.start_loss, atol=1e-4)
    assert (goes.loss >= goes.start_loss).all()
    if not settings:
        assert not torch.allclose(goes.places, stays.places, atol=1e-2)
        assert goes.loss.mean() >= stays.loss.mean()
    for row, patch in enumerate(goes.patches):
        own = {name: value[row : row + 1] for name, value in inputs.items()}
        again = apply_patch(own, patch, torch.tensor([patch.facts["place"]], dtype=torch.float64)).inputs
        assert all(torch.allclose(again[name][0], goes.inputs[name][row], atol=1 / 255) for name in again)
        assert abs(patch.facts["turn"]) <= radians(90)
    onward = adversarial_patch(
        problem, inputs, BOTH, where="learned", start=goes.patches, **{**chosen, **settings, "steps": 1}
    )
    assert torch.allclose(onward.start_loss, goes.loss, atol=0.02)


def test_who_cannot_seek_a_place_says_so():
    problem, inputs = victim()
    with pytest.raises(UsageError, match="--where learned looks at gradients, which --set search=spsa does without"):
        adversarial_patch(problem, inputs, RGB, where="learned", search="spsa")
    patch = adversarial_patch(problem, inputs, RGB, steps=1).patches[0]
    with pytest.raises(UsageError, match="--where learned seeks a place with gradients; a patch that is there"):
        hang_patch(inputs, patch, where="learned")
