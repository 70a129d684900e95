"""Where patches go, and how large they are; what has no place is said so and never moved."""

import re
from typing import NamedTuple

import pytest
import torch
from attacks_problems import rand
from patch_scenes import victim

from rgbdsod.attacks import Budget, MapProblem, adversarial_patch, apply_patch, hang_patch
from rgbdsod.attacks.patch.layout import Known, Layout
from rgbdsod.attacks.patch.placement import PLACEMENTS, Placement, grown, overlaps, pick, poses, shadow_of
from rgbdsod.attacks.patch.pose import homographies
from rgbdsod.attacks.patch.shapes import SHAPES, outline, window
from rgbdsod.attacks.patch.warp import footprint
from rgbdsod.errors import UsageError

SIZE = (40, 50)
BOTH = {"rgb": Budget(eps=1.0), "depth": Budget(eps=1.0)}


def block(rows: slice, columns: slice) -> torch.Tensor:
    found = torch.zeros(SIZE, dtype=torch.bool)
    found[rows, columns] = True
    return found


def test_overlaps_equal_sums_over_windows():
    region, shadow = rand(0, *SIZE) > 0.5, rand(1, 7, 9) > 0.3
    windows = region.double().unfold(0, 7, 1).unfold(1, 9, 1)
    assert torch.equal(overlaps(region, shadow), (windows * shadow).sum((2, 3)))
    weights = rand(2, *SIZE)
    windows = weights.double().unfold(0, 7, 1).unfold(1, 9, 1)
    assert torch.allclose(overlaps(weights, shadow), (windows * shadow).sum((2, 3)))


def test_grown_reaches_along_rows_and_columns():
    point = block(slice(10, 11), slice(20, 21))
    assert grown(point, 2).sum() == 25
    assert torch.equal(grown(point, 0), point)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", ["1%", "5%", 0.1])
def test_a_patch_covers_its_share(shape, size):
    image = (96, 128)
    span = window(size, shape, image)
    alpha = outline(shape, *span)
    mask = footprint(alpha[None], homographies(poses([(5, 6)], alpha, span), span, image), image)
    share = float(str(size).removesuffix("%")) / (100 if "%" in str(size) else 1)
    assert mask.float().mean().item() == pytest.approx(share, rel=0.12)


def test_sides():
    assert window("10%", "2:1", (100, 200)) == (32, 63)


@pytest.mark.parametrize(
    ("where", "low", "high"), [("on-object", 0.9, 1.0), ("off-object", 0.0, 0.0), ("boundary", 0.3, 0.7)]
)
def test_policies_keep_their_word(where, low, high):
    objects = block(slice(8, 34), slice(5, 28))
    shadow = shadow_of(outline("disc", 8, 8), (8, 8))
    allowed = Placement(where).allowed(shadow, SIZE, objects)
    assert allowed.any()
    for seed in range(20):
        row, column = pick(allowed, seed, "a", "place")
        inside = (objects[row : row + 8, column : column + 8] & shadow).sum() / shadow.sum()
        assert low <= inside <= high
    if where == "off-object":
        near = grown(objects, round(0.05 * 50))
        assert not any(near[r : r + 8, c : c + 8][shadow].any() for r, c in allowed.nonzero().tolist())


def test_a_patch_may_not_hide_the_object():
    objects = block(slice(10, 20), slice(10, 20))
    shadow = shadow_of(torch.ones(1, 6, 6), (6, 6))
    assert not Placement("on-object").allowed(shadow, SIZE, objects).any()  # 36 of 100 pixels
    assert Placement("on-object", cover=0.5).allowed(shadow, SIZE, objects).any()


def test_draws_depend_on_seed_and_sample_alone():
    layout = Layout(Placement(), torch.ones(1, 5, 5), (5, 5), SIZE, 3)
    first = layout.spots(["a", "b", "c"], Known())
    assert first == layout.spots(["a", "b", "c"], Known())
    assert [first[2], first[0]] == layout.spots(["c", "a"], Known())
    assert len({own[0] for own in first}) == 3


def test_promising_places_hold_the_largest_sums_and_lie_apart():
    weights = torch.zeros(SIZE)
    weights[10, 10], weights[30, 40] = 2.0, 3.0
    first, second = Layout(Placement(), torch.ones(1, 5, 5), (5, 5), SIZE, 0).promising(weights, 2)
    assert abs(first.y - 30) <= 2
    assert abs(first.x - 40) <= 2
    assert max(abs(first.x - second.x), abs(first.y - second.y)) > 2


def attack(where, size="5%", side=24, masks=None, **settings):
    problem, inputs = victim(2, side)
    if masks is not None:
        problem = problem._with(_truth=problem._truth.of(masks))
    return adversarial_patch(problem, inputs, {"rgb": Budget(eps=1.0)}, steps=2, where=where, patch_size=size,
                             **settings), inputs  # fmt: skip


def test_a_picture_without_a_place_comes_back_clean_and_is_marked():
    masks = torch.zeros(2, 1, 24, 24)
    masks[1, :, 2:20, 2:20] = 1
    result, inputs = attack("on-object", masks=masks)
    assert result.placed.tolist() == [False, True]
    assert torch.equal(result.inputs["rgb"][0], inputs["rgb"][0])
    assert not torch.equal(result.inputs["rgb"][1], inputs["rgb"][1])
    assert result.patches[0] is None
    assert result.loss[0].isnan()
    assert not result.fooled[0]
    assert result.forward.tolist() == [0, 4]
    alone = attack("on-object", masks=torch.zeros(2, 1, 24, 24))[0]
    assert not alone.placed.any()
    assert alone.inputs["rgb"] is not None


def test_worst_is_no_worse_than_its_candidates_start():
    result, _ = attack("worst")
    random, _ = attack("random")
    assert result.placed.all()
    assert (result.forward > random.forward).all()


class Boxed(MapProblem):
    """A problem that knows boxes: two on the first picture, none on the second."""

    class Target(NamedTuple):
        boxes: torch.Tensor

    @property
    def targets(self):
        boxes = torch.tensor([[2.0, 2.0, 12.0, 12.0], [14.0, 10.0, 22.0, 18.0]])
        return [self.Target(boxes), self.Target(boxes[:0])][: len(self.objects)]


def test_a_patch_in_each_box():
    problem, inputs = victim(2, 24)
    boxed = Boxed(problem.modules[0], problem.objects.float())
    result = adversarial_patch(boxed, inputs, BOTH, steps=2, where="box", patch_size=0.4)
    assert result.placed.tolist() == [True, False]
    assert result.mask[0, 0, 5:9, 5:9].all()  # 0.4 of 10 pixels, in the middle
    assert result.mask[0, 0, 12:16, 16:20].all()  # 3.2 pixels reach four centres
    assert result.mask[0].sum() == 16 + 16
    assert torch.equal(result.inputs["rgb"][1], inputs["rgb"][1])
    assert len(result.patches[0].facts["places"]) == 2
    own = {name: value[:1] for name, value in inputs.items()}
    for place in result.patches[0].facts["places"]:
        own = apply_patch(own, result.patches[0], torch.tensor([place], dtype=torch.float64)).inputs
    for name in inputs:
        assert torch.allclose(own[name][0], result.inputs[name][0], atol=1e-6)


def test_without_boxes_the_object_has_one():
    result, _ = attack("box", 0.5)
    assert result.mask[0, 0, 10:14, 10:14].all()  # the block from 8 to 16
    assert result.mask[0].sum() == 16
    hung = hang_patch(
        {"rgb": rand(0, 2, 3, 24, 24)}, result.patches[0], where="box", patch_size=0.5,
        boxes=[torch.tensor([[8.0, 8.0, 16.0, 16.0]]), torch.zeros(0, 4)],
    )  # fmt: skip
    assert hung.placed.tolist() == [True, False]
    assert torch.equal(hung.mask[0], result.mask[0])


def test_a_pixel_can_be_a_patch_and_a_constant_picture_be_attacked():
    problem, _ = victim()
    flat = {"rgb": torch.full((2, 3, 24, 24), 0.5), "depth": torch.zeros(2, 1, 24, 24)}
    result = adversarial_patch(
        problem, flat, {"rgb": Budget(eps=1.0), "depth": Budget(eps=1.0)}, steps=2, patch_size=1 / 576
    )
    assert result.mask.flatten(1).sum(1).tolist() == [1, 1]
    assert (result.loss >= result.start_loss).all()


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"patch_size": "120%"}, "--patch-size 120%: the patch is larger than the image"),
        ({"patch_size": 5}, "--patch-size 5: the patch is larger than the image; did you mean 5%?"),
        ({"patch_size": "0%"}, "--patch-size 0% is no size"),
        ({"patch_size": "big"}, "--patch-size big: pass a share of the image"),
        (
            {"patch_size": "50%", "shape": "4:1"},
            "--patch-size 50%: a 4:1 patch of 8x34 pixels is larger",
        ),
        ({"patch_size": 1e-4}, "--patch-size 0.0001 of an image of 24x24 is less than a pixel"),
        ({"shape": "star"}, 'no shape "star"'),
        ({"where": "above"}, f'--where "above": expected one of {", ".join(PLACEMENTS)}'),
        ({"where": "fixed", "at": "middle"}, "--at middle: pass the centre as shares"),
        ({"where": "fixed", "at": "0,0"}, "--at 0,0: a patch of 5x5 pixels leaves the image of 24x24"),
    ],
)
def test_what_cannot_be_placed_is_a_sentence(settings, text):
    problem, inputs = victim()
    with pytest.raises(UsageError, match=f"^{re.escape(text)}"):
        adversarial_patch(problem, inputs, {"rgb": Budget(eps=1.0)}, **settings)


def test_policies_need_objects():
    from rgbdsod.attacks import ScoreProblem

    problem = ScoreProblem(lambda inputs: inputs["rgb"].flatten(1).sum(1), inputs=("rgb",))
    with pytest.raises(UsageError, match="--where on-object needs to know where objects are; use random or fixed"):
        adversarial_patch(problem, {"rgb": rand(0, 1, 3, 24, 24)}, {"rgb": Budget(eps=1.0)}, where="on-object")


def test_apde_lays_a_patch_on_every_box_by_its_longer_side():
    alpha = torch.ones(1, 20, 20)
    layout = Layout(Placement("apde"), alpha, (20, 20), (400, 400), 3, 0.2)
    boxes = torch.tensor([[40.0, 20.0, 100.0, 220.0], [10.0, 10.0, 30.0, 40.0]]).repeat(20, 1)
    spots = layout.spots(["one"], Known(boxes=[boxes]))[0]
    assert len(spots) == 40, "there is no limit to the boxes of a picture"
    tall, small = spots[::2], spots[1::2]
    assert all(spot.across == spot.down == pytest.approx(0.2 * 200 / 20) for spot in tall)
    assert all(spot.across == pytest.approx(10 / 20) for spot in small), "at least 10 pixels"
    assert all(spot.x == pytest.approx((40 + 100 - 1) / 2) for spot in tall)
    heights = torch.tensor([(spot.y + 0.5 - 20) / 200 for spot in tall])
    turns = torch.tensor([spot.roll for spot in spots]) * 180 / torch.pi
    assert 0.4 <= heights.min() < 0.45 and 0.55 < heights.max() <= 0.6
    assert -15 <= turns.min() < -8 and 8 < turns.max() <= 15
    assert spots == layout.spots(["one"], Known(boxes=[boxes]))[0]
    assert spots != layout.spots(["two"], Known(boxes=[boxes]))[0]
    assert spots != layout.spots(["one"], Known(boxes=[boxes]), "step/1")[0]


def test_apde_turns_the_patch_in_the_picture():
    problem, inputs = victim(2, 64)
    boxes = torch.tensor([[2.0, 2.0, 62.0, 62.0]])

    class Turned(MapProblem):
        targets = (Boxed.Target(boxes), Boxed.Target(boxes[:0]))

    known = Turned(problem.modules[0], problem.objects.float())
    result = adversarial_patch(known, inputs, {"rgb": Budget(eps=1.0)}, steps=2, where="apde", patch_size=0.5, seed=2)
    assert result.placed.tolist() == [True, False]
    first, second = torch.tensor(result.patches[0].facts["place"])[:2, :2].unbind(1)
    assert abs(float(first @ second)) < 1e-6 and abs(float(first[1])) > 1e-3, "turned, and still a square"
    assert int(result.mask[0].sum()) == pytest.approx(30 * 30, rel=0.05)
