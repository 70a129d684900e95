"""Certified detections and classes against brute force: every place of a patch, 64 contents."""

from itertools import product

import pytest
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, max_pool2d

from rgbdsod.defenses import cleanse, cover, half_masks, recalled, seek
from rgbdsod.errors import UsageError
from rgbdsod.types import Detections, Objects

SIDE, CELL, PATCH, CONTENTS = 12, 6, 3, 64
BOXES = torch.tensor([[0.0, 0, 6, 6], [6, 0, 12, 6], [0, 6, 6, 12], [6, 6, 12, 12]])


def lights(images: Tensor) -> list[Detections]:
    """A cell is an object where it is red or green; one glaring spot anywhere blinds the whole detector."""
    light = avg_pool2d(images[:, :2], CELL).flatten(2).transpose(1, 2)
    glare = max_pool2d(images.amax(1, keepdim=True), 2, 1).amax((1, 2, 3))
    scores = (200 * (light - 0.1 * (glare / 0.5)[:, None, None] ** 5)).sigmoid()
    best, labels = scores.max(2)
    return [
        Detections(BOXES[keep], own[keep], kind[keep])
        for own, kind, keep in zip(best, labels, best >= 0.5, strict=True)
    ]


def scene() -> tuple[Tensor, Objects]:
    """A red object, a green one, and one so dim that half of it is too little."""
    image = torch.zeros(1, 3, SIDE, SIDE)
    image[:, 0, :6, :6] = 0.5
    image[:, 1, 6:, 6:] = 0.5
    image[:, 1, 6:, :6] = 0.15
    return image, Objects(BOXES[[0, 3, 2]], torch.tensor([0, 1, 1]), torch.zeros(3, dtype=torch.bool))


def contents() -> Tensor:
    """Patches (64,3,3,3): black, white, plain colours and random ones."""
    draw = torch.rand((CONTENTS, 3, PATCH, PATCH), generator=torch.Generator().manual_seed(0))
    draw[: CONTENTS // 2] = draw[: CONTENTS // 2].round()
    draw[0], draw[1] = 0, 1
    return draw


def patched(image: Tensor, top: int, left: int) -> Tensor:
    batch = image.repeat(CONTENTS, 1, 1, 1)
    batch[..., top : top + PATCH, left : left + PATCH] = contents()
    return batch


def covered(objects: Objects, seen: Detections) -> Tensor:
    """Whether a box of the class covers half of each object, counted pixel by pixel."""
    found = []
    for (x0, y0, x1, y1), label in zip(objects.boxes.long().tolist(), objects.labels.tolist(), strict=True):
        own = [
            box
            for box, kind in zip(seen.boxes.round().long().tolist(), seen.labels.tolist(), strict=True)
            if kind == label
        ]
        shares = []
        for a0, b0, a1, b1 in own:
            inside = max(0, min(x1, a1) - max(x0, a0)) * max(0, min(y1, b1) - max(y0, b0))
            shares.append(inside / ((x1 - x0) * (y1 - y0)))
        found.append(max(shares, default=0) >= 0.5)
    return torch.tensor(found)


def test_no_patch_hides_a_certified_object() -> None:
    image, objects = scene()
    hidden = half_masks((SIDE, SIDE), 5)
    clean = seek(lights, image, hidden, fill="black")[0]
    sure = recalled(objects, clean, hidden, (PATCH, PATCH))
    assert sure.anywhere.tolist() == [True, True, False]
    assert bool(covered(objects, clean.output)[:2].all())
    lost = 0
    for top, left in product(range(SIDE - PATCH + 1), repeat=2):
        batch = patched(image, top, left)
        x0, y0, x1, y1 = objects.boxes.unbind(1)
        touches = (left < x1) & (left + PATCH > x0) & (top < y1) & (top + PATCH > y0)
        certain = sure.anywhere | (sure.apart & ~touches)
        for sought in seek(lights, batch, hidden, fill="black"):
            assert not bool((certain & ~covered(objects, sought.output)).any()), f"lost under a patch at {top}, {left}"
            lost += int((certain & ~covered(objects, sought.plain)).sum())
    assert lost, "no patch hid anything from the undefended detector, so the test shows nothing"


def test_what_a_plain_box_may_leave_out_is_counted() -> None:
    """A copy's box of twice the object: at pruning 0.6 a plain box may leave out 0.4 of it, 0.8 of the object."""
    objects = Objects(torch.tensor([[0.0, 0, 4, 4]]), torch.tensor([0]), torch.tensor([False]))
    wide = Detections(torch.tensor([[0.0, 0, 8, 4]]), torch.ones(1), torch.tensor([0]))

    def detect(images: Tensor) -> list[Detections]:
        return [wide] * len(images)

    hidden = half_masks((16, 16), 3)
    sought = seek(detect, torch.zeros(1, 3, 16, 16), hidden)[0]
    assert recalled(objects, sought, hidden, (2, 2), certain=0.19).anywhere.tolist() == [True]
    assert recalled(objects, sought, hidden, (2, 2), certain=0.21).anywhere.tolist() == [False]
    assert recalled(objects, sought, hidden, (2, 2), pruning=1.0).anywhere.tolist() == [True]


def test_copies_add_what_the_image_lacks_and_nothing_twice() -> None:
    image, _ = scene()
    hidden = half_masks((SIDE, SIDE), 5)
    assert hidden.shape == (20, SIDE, SIDE)
    blinded = image.clone()
    blinded[..., 4:7, 6:9] = 1
    found = seek(lights, blinded, hidden, fill="black")[0]
    assert len(found.plain.scores) == 0
    assert sorted(found.output.labels.tolist()) == [0, 1, 1]
    clean = seek(lights, image, hidden, fill="black")[0]
    assert torch.equal(clean.output.boxes, clean.plain.boxes)


def test_a_batch_is_its_images() -> None:
    image, _ = scene()
    hidden, other = half_masks((SIDE, SIDE), 2), image.flip(3)
    both = seek(lights, torch.cat([image, other]), hidden, fill="black")
    for one, alone in zip(both, (image, other), strict=True):
        assert torch.equal(one.output.boxes, seek(lights, alone, hidden, fill="black")[0].output.boxes)


def colours(images: Tensor) -> Tensor:
    """The class is the brightest colour of any spot."""
    return max_pool2d(avg_pool2d(images, 2, 1), SIDE - 1).flatten(1)


def test_no_patch_changes_a_certified_class() -> None:
    red = torch.zeros(1, 3, SIDE, SIDE)
    red[:, 0] = 0.6
    mixed = red.clone()
    mixed[:, 1, :3, :3] = 0.8
    masks = cover((SIDE, SIDE), (PATCH, PATCH), "detection", "grid", copies=(2, 3))
    found = cleanse(colours, torch.cat([red, mixed]), masks, fill="black")
    assert (found.labels.tolist(), found.plain.tolist(), found.certified.tolist()) == ([0, 0], [0, 1], [True, False])
    turned = 0
    for top, left in product(range(SIDE - PATCH + 1), repeat=2):
        batch = patched(red, top, left)
        assert bool((cleanse(colours, batch, masks, fill="black").labels == 0).all()), f"a patch at {top}, {left}"
        turned += int((colours(batch).argmax(1) != 0).sum())
    assert turned


def test_what_cannot_be_certified_is_refused() -> None:
    image, _ = scene()
    hidden = half_masks((SIDE, SIDE), 2)
    for wrong in (0, SIDE):
        with pytest.raises(UsageError, match="pass 1 or more, fewer than pixels"):
            half_masks((SIDE, SIDE), wrong)
    with pytest.raises(UsageError, match=r"masks of \(12, 12\) for images"):
        seek(lights, image[..., :6], hidden)
    with pytest.raises(UsageError, match="pass shares between 0 and 1"):
        seek(lights, image, hidden, pruning=1.5)
    with pytest.raises(UsageError, match='no fill "grass"'):
        seek(lights, image, hidden, fill="grass")
    with pytest.raises(UsageError, match='the classifier needs one mask that hides the patch: "detection"'):
        cleanse(colours, image, cover((SIDE, SIDE), (2, 2), "recovery", block=(2, 2)))
    with pytest.raises(UsageError, match=r"a cover of \(12, 12\) for images"):
        cleanse(colours, image[..., :6], cover((SIDE, SIDE), (2, 2), "detection"))
