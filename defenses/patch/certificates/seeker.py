"""Certified detections: objects that no patch of a stated size can make a detector lose, wherever it is.

Source: Xiang et al., "ObjectSeeker: Certifiably Robust Object Detection against Patch Hiding Attacks via Patch-agnostic
Masking", arXiv 2202.01811.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from rgbdsod.attacks.problem import frozen
from rgbdsod.defenses.patch.certificates.certify import masked
from rgbdsod.defenses.patch.certificates.covers import Pair, touching
from rgbdsod.defenses.patch.fills import check_fill
from rgbdsod.errors import UsageError
from rgbdsod.types import Detections, Objects

PRUNING, CERTAIN, SCORE, LINES = 0.6, 0.5, 0.5, 10
_IMAGE = "image"

Detect = Callable[[Tensor], Sequence[Detections]]
"""What is found in images (B,3,H,W)."""


@dataclass(frozen=True, eq=False)
class Sought:
    """What a detector finds in an image and in its copies.

    Attributes:
        plain: in the image itself, of the score or more.
        copies: in each copy with a side hidden, likewise.
        output: the defended detections: the plain ones, and where copies show what they lack, boxes around these.
    """

    plain: Detections
    copies: list[Detections]
    output: Detections


class Recalled(NamedTuple):
    """Which objects of an image are certain, bool (N,).

    Attributes:
        anywhere: wherever a patch is, on the object too.
        apart: wherever a patch does not touch the object's box.
    """

    anywhere: Tensor
    apart: Tensor


def half_masks(size: Pair, lines: int = LINES) -> Tensor:
    """What each of 4k copies hides: one side of a line, k lines across and k down, evenly spaced; bool (4k,H,W).

    Args:
        size: (H, W) of the images.
        lines: k, from 1 on.

    Raises:
        UsageError: no line, or more than pixels.
    """
    if not 1 <= lines < min(size):
        raise UsageError(f"{lines} lines across images of {size[0]}x{size[1]}; pass 1 or more, fewer than pixels")
    found = []
    for axis, length in enumerate(size):
        at = torch.arange(length)
        for line in range(1, lines + 1):
            before = at < round(line * length / (lines + 1))
            for side in (before, ~before):
                found.append((side[:, None] if axis == 0 else side[None]).expand(*size))
    return torch.stack(found)


@torch.no_grad()
def seek(
    detect: Detect,
    images: Tensor,
    hidden: Tensor,
    *,
    score: float = SCORE,
    pruning: float = PRUNING,
    fill: str = "grey",
    modules: Sequence[torch.nn.Module] = (),
) -> list[Sought]:
    """The defended detections of a batch: 4k copies, each without one side of a line, beside the image itself.

    Boxes of copies that a plain box of their class covers by `pruning` of their area are dropped; the rest, joined to
    their union where they overlap by half, are added.

    Args:
        detect: what is found in images; an image's answer must not depend on its neighbours.
        images: (B,3,H,W) in [0, 1].
        hidden: which pixels each copy hides, bool (K,H,W), of the images' size.
        score: from which on detections count, in the image and in the copies.
        pruning: intersection over the copy's box from which on the plain box stands for it.
        fill: what hidden pixels become: grey, mean, black, inpaint or blur.
        modules: of the detector, held in eval mode.

    Raises:
        UsageError: masks of another size, or shares that cannot be.
    """
    check_fill(fill)
    if tuple(hidden.shape[1:]) != tuple(images.shape[-2:]):
        raise UsageError(f"masks of {tuple(hidden.shape[1:])} for images {tuple(images.shape)}; make them of one size")
    if not (0 < pruning <= 1 and 0 <= score <= 1):
        raise UsageError(f"pruning {pruning:g} and score {score:g}: pass shares between 0 and 1")
    with frozen(*modules):
        plain = [_above(one, score) for one in detect(images)]
        copies = [[_above(one, score) for one in detect(masked({_IMAGE: images}, side, fill)[_IMAGE])]
                  for side in hidden]  # fmt: skip
    rows = zip(plain, zip(*copies, strict=True), strict=True)
    return [Sought(own, list(seen), _output(own, seen, pruning)) for own, seen in rows]


def recalled(
    objects: Objects,
    sought: Sought,
    hidden: Tensor,
    patch: Pair,
    *,
    pruning: float = PRUNING,
    certain: float = CERTAIN,
) -> Recalled:
    """Which objects the defended detector finds under every patch of a size.

    Found means here: a box of the class covers `certain` of the object's area. An object is certain when for each place
    of the patch a copy hides it wholly and shows a box of the class which, even if a plain box that the patch made
    stands for it after pruning, covers as much. The copy is bit-equal to that of the clean image, so the box is there.

    Args:
        objects: of the image; groups of things are never certain.
        sought: of the clean image.
        hidden: which pixels each copy hides, as for `seek`.
        patch: (height, width) in pixels of the largest patch.
        pruning: as for `seek`.
        certain: share of an object's area that must be covered.

    Raises:
        UsageError: a patch that is larger than the image.

    Source: arXiv 2202.01811, section 3.3; the bound under pruning is spelled out in the documentation.
    """
    shows = torch.stack([_sure(objects, one, pruning) >= certain for one in sought.copies])  # (K,N)
    hides = ~touching(hidden, patch)  # (K,P,Q)
    boxes = objects.boxes.cpu()
    anywhere, apart = torch.zeros(len(boxes), dtype=torch.bool), torch.zeros(len(boxes), dtype=torch.bool)
    for row, box in enumerate(boxes):
        safe = hides[shows[:, row].cpu()].any(0)
        anywhere[row], apart[row] = safe.all(), (safe | _meets(box, patch, safe)).all()
    single = ~objects.crowd.cpu()
    return Recalled(anywhere & single, apart & single)


def _sure(objects: Objects, seen: Detections, pruning: float) -> Tensor:
    """The share of each object that the output surely covers because of what a copy shows, (N,)."""
    sure = torch.zeros(len(objects.boxes))
    for row, (box, label) in enumerate(zip(objects.boxes.cpu().double(), objects.labels.tolist(), strict=True)):
        own = seen.boxes[seen.labels == label].detach().cpu().double()
        if len(own):
            # A plain box that stands for it covers at least this much of it; what it leaves out may all be the object.
            kept = _shared(own, box[None])[:, 0] - (1 - pruning) * _area(own)
            sure[row] = float(kept.max() / _area(box[None])[0])
    return sure


def _output(plain: Detections, copies: Sequence[Detections], pruning: float) -> Detections:
    """The plain boxes and the unions of what they do not stand for."""
    boxes, scores, labels = (torch.cat(parts) for parts in zip(*copies, strict=True))
    own = plain.boxes
    covered = _shared(boxes, own) / _area(boxes)[:, None].clamp_min(1e-9) >= pruning
    new = ~(covered & (labels[:, None] == plain.labels)).any(1)
    joined = _joined(Detections(boxes[new], scores[new], labels[new]))
    return Detections(*(torch.cat(parts) for parts in zip(plain, joined, strict=True)))


def _joined(found: Detections) -> Detections:
    """Boxes of one class that overlap, as the box around them; the best first takes the others in."""
    left = found.scores.argsort(descending=True)
    rows: list[tuple[Tensor, Tensor, Tensor]] = []
    while len(left):
        first = left[0]
        boxes = found.boxes[left]
        share = _shared(boxes, boxes[:1])[:, 0] / torch.minimum(_area(boxes), _area(boxes[:1])).clamp_min(1e-9)
        together = (share >= 0.5) & (found.labels[left] == found.labels[first])
        together[0] = True
        around = torch.cat([boxes[together][:, :2].amin(0), boxes[together][:, 2:].amax(0)])
        rows.append((around, found.scores[first], found.labels[first]))
        left = left[~together]
    if not rows:
        return found
    return Detections(*(torch.stack(column) for column in zip(*rows, strict=True)))


def _meets(box: Tensor, patch: Pair, places: Tensor) -> Tensor:
    """At which places, bool (P,Q), a patch touches a box."""
    x0, y0, x1, y1 = box.tolist()
    top, left = (torch.arange(length) for length in places.shape)
    rows, columns = (top < y1) & (top + patch[0] > y0), (left < x1) & (left + patch[1] > x0)
    touched: Tensor = rows[:, None] & columns[None]
    return touched


def _shared(one: Tensor, other: Tensor) -> Tensor:
    """Areas of the intersections of boxes (N,4) with boxes (M,4), (N,M)."""
    low, high = torch.maximum(one[:, None, :2], other[None, :, :2]), torch.minimum(one[:, None, 2:], other[None, :, 2:])
    shared: Tensor = (high - low).clamp_min(0).prod(2)
    return shared


def _area(boxes: Tensor) -> Tensor:
    area: Tensor = (boxes[:, 2:] - boxes[:, :2]).clamp_min(0).prod(1)
    return area


def _above(found: Detections, score: float) -> Detections:
    keep = found.scores >= score
    return Detections(*(field[keep].detach() for field in found))
