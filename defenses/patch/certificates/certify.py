"""Certified saliency maps: pixels that no patch of a stated size, at any place and of any content, can change.

Source: Yatsura et al., "Certified Defences Against Adversarial Patch Attacks on Semantic Segmentation" (Demasked
Smoothing), arXiv 2209.05980.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from rgbdsod.attacks.partial import Partial, staged, whole
from rgbdsod.attacks.problem import frozen
from rgbdsod.defenses.patch.certificates.covers import Aim, Cover, Pair
from rgbdsod.defenses.patch.fills import check_fill, fill
from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs, MapModel, Modality

_COLOUR = "rgb"


class Bounds(NamedTuple):
    """What is certain of the measures of each image, whatever a patch does.

    Attributes:
        iou: lower bounds, (B,).
        mae: upper bounds, (B,).
    """

    iou: Tensor
    mae: Tensor


@dataclass(frozen=True, eq=False)
class Certificate:
    """A defended map and which of its pixels are certain.

    A recovered pixel keeps its value under every such patch. A pixel certified by detection keeps its value too, unless
    a copy of the patched image disagrees with its map there, which is the alarm: see `agreed`.

    Attributes:
        aim: "detection" or "recovery".
        threat: which inputs a patch may change, at one place: "rgb", "depth" or "both".
        patch: (height, width) in pixels of the largest patch.
        copies: how many masked copies of each image there were.
        map: the defended map, bool (B,1,H,W).
        certified: which of its pixels are certain, bool (B,1,H,W).
    """

    aim: Aim
    threat: Modality
    patch: Pair
    copies: int
    map: Tensor
    certified: Tensor

    @property
    def share(self) -> Tensor:
        """The certified share of each image's pixels, (B,)."""
        return self.certified.flatten(1).float().mean(1)

    @property
    def agreed(self) -> Tensor:
        """Where no alarm is raised, bool (B,1,H,W): for detection, where all copies agree with the map."""
        return self.certified if self.aim == "detection" else torch.ones_like(self.certified)

    def bounds(self, truth: Tensor) -> Bounds:
        """Bounds of IoU and MAE of the map at threshold 0.5, every other pixel counted as wrong.

        Args:
            truth: masks (B,1,H,W); from 0.5 on is object. Where nothing is object the IoU is 0, as in `metrics`.

        Raises:
            UsageError: masks of another shape.
        """
        if truth.shape != self.map.shape:
            raise UsageError(f"masks {tuple(truth.shape)} for maps {tuple(self.map.shape)}; pass masks of their size")
        wanted = truth.to(self.map.device) >= 0.5
        right = (self.certified & (self.map == wanted)).flatten(1)
        inside = wanted.flatten(1)
        hits, union = (right & inside).sum(1), inside.sum(1) + (~right & ~inside).sum(1)
        return Bounds(hits / union.clamp_min(1), (~right).float().mean(1))


@torch.no_grad()
def certify(
    model: MapModel | Callable[[Inputs], Tensor],
    inputs: Inputs,
    cover: Cover,
    *,
    threat: Modality = "rgb",
    fill: str = "inpaint",
) -> Certificate:
    """The defended maps of a batch, and which of their pixels are certain; no attack is run.

    The image is predicted once for each mask of the cover, with what the mask hides filled from what it shows. Inputs
    that the patch cannot change are left as they are and help every copy; a staged model encodes them once. Recovery
    takes each pixel's majority, certain where it leads by more than 2T copies. Detection takes the plain map, certain
    where all copies agree with it.

    Args:
        model: of saliency maps; or logits (B,1,H,W) of named inputs.
        inputs: by name, (B,C,H,W) in [0, 1].
        cover: the masks, of the images' size.
        threat: the inputs that a patch may change, at one place: "rgb", "depth" or "both".
        fill: what the hidden pixels become: mean, grey, black, inpaint or blur.

    Raises:
        UsageError: a cover of another size, a threat without input, or an unknown fill.

    Example:
        >>> import torch
        >>> from rgbdsod.defenses import certify, cover
        >>> bright = lambda inputs: inputs["rgb"].mean(1, keepdim=True) - 0.5
        >>> image = {"rgb": torch.ones(1, 3, 32, 32)}
        >>> certify(bright, image, cover((32, 32), (4, 4))).share.tolist()
        [1.0]
    """
    check_fill(fill)
    names = _threatened(inputs, cover, threat)
    size = cover.size
    ready = staged(model, size) if isinstance(model, MapModel) else whole(model, tuple(inputs))
    with frozen(*ready.modules):
        return _judged(ready, inputs, names, cover, threat, fill)


def _judged(
    model: Partial, inputs: Inputs, names: tuple[str, ...], cover: Cover, threat: Modality, how: str
) -> Certificate:
    """One forward pass for each copy, all of the same shape, so that no copy is rounded differently."""
    kept = {name: value for name, value in inputs.items() if name not in names}
    attacked = {name: inputs[name] for name in names}
    ready = model.given(kept) if kept else model
    votes = torch.stack([ready(masked(attacked, hidden, how)) > 0 for hidden in cover.hidden]).sum(0)
    return _decided(ready(attacked) > 0, votes, cover, threat)


def masked(images: Inputs, hidden: Tensor, how: str) -> dict[str, Tensor]:
    """One copy: hidden pixels are blanked first and filled then, so that no rounding can let them through.

    Args:
        images: by name, (B,C,H,W).
        hidden: bool (H,W).
        how: a fill.
    """
    copies = {}
    for name, image in images.items():
        where = hidden.to(image.device).expand(len(image), 1, *hidden.shape)
        copies[name] = fill(image.masked_fill(where, 0.0), where.to(image), how)
    return copies


def _decided(plain: Tensor, votes: Tensor, cover: Cover, threat: Modality) -> Certificate:
    copies = len(cover.hidden)
    if cover.aim == "detection":
        agreed = torch.where(plain, votes == copies, votes == 0)
        return Certificate(cover.aim, threat, cover.patch, copies, plain, agreed)
    lead = 2 * votes - copies
    return Certificate(cover.aim, threat, cover.patch, copies, lead > 0, lead.abs() > 2 * cover.visible)


def _threatened(inputs: Inputs, cover: Cover, threat: Modality) -> tuple[str, ...]:
    """The names of the inputs that a patch may change.

    Raises:
        UsageError: there is none, or an input has another size than the cover.
    """
    names = tuple(name for name in inputs if threat == "both" or (name == _COLOUR) == (threat == "rgb"))
    if threat not in ("rgb", "depth", "both") or not names:
        raise UsageError(f'threat "{threat}" to inputs {", ".join(inputs)}; pass rgb, depth or both, and such an input')
    for name in names:
        if tuple(inputs[name].shape[-2:]) != cover.size:
            raise UsageError(f"a cover of {cover.size} for {name} {tuple(inputs[name].shape)}; make one of its size")
    return names
