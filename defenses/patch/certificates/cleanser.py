"""Certified classes: answers of a classifier that no patch of a stated size can change, wherever it is.

Source: Xiang et al., "PatchCleanser: Certifiably Robust Defense against Adversarial Patches for Any Image Classifier",
arXiv 2108.09135, sections 3.2 and 3.3.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from rgbdsod.attacks.problem import frozen
from rgbdsod.defenses.patch.certificates.certify import masked
from rgbdsod.defenses.patch.certificates.covers import Cover
from rgbdsod.defenses.patch.fills import check_fill
from rgbdsod.errors import UsageError

_IMAGE = "image"

Classify = Callable[[Tensor], Tensor]
"""Logits (B,C) of images (B,3,H,W) in [0, 1]."""


class Cleansed(NamedTuple):
    """What a defended classifier says of a batch, and what of it is certain.

    Attributes:
        labels: the defended answers, (B,).
        plain: the undefended ones, (B,).
        certified: whether no patch of the cover's size can change `labels`, bool (B,).
    """

    labels: Tensor
    plain: Tensor
    certified: Tensor


@torch.no_grad()
def cleanse(
    classify: Classify, images: Tensor, cover: Cover, *, fill: str = "grey", modules: Sequence[nn.Module] = ()
) -> Cleansed:
    """The defended answers of a batch, by two rounds of masks, and which of them are certain.

    First every mask by itself: where all agree, that is the answer. Else each mask whose answer is another than the
    majority's gets every mask of the cover besides: where these agree with it, it hides the patch, and its answer is
    taken; else the majority's is. An answer is certain where the image gives it under every pair of masks: one of the
    masks then hides the patch, and whatever the others say, all pairs with it agree.

    Args:
        classify: logits of images.
        images: (B,3,H,W) in [0, 1].
        cover: masks for "detection": every place of the patch is wholly hidden by one of them.
        fill: what hidden pixels become: grey, mean, black, inpaint or blur.
        modules: of the classifier, held in eval mode.

    Raises:
        UsageError: a cover of another aim or size.
    """
    check_fill(fill)
    if cover.aim != "detection":
        raise UsageError(f'a cover for "{cover.aim}"; the classifier needs one mask that hides the patch: "detection"')
    if tuple(images.shape[-2:]) != cover.size:
        raise UsageError(f"a cover of {cover.size} for images {tuple(images.shape)}; make one of their size")
    with frozen(*modules):
        plain = classify(images).argmax(1)
        pairs = _pairs(classify, images, cover.hidden, fill)  # (B,K,K)
    labels = torch.stack([_decided(one) for one in pairs])
    return Cleansed(labels, plain, (pairs == labels[:, None, None]).flatten(1).all(1))


def _pairs(classify: Classify, images: Tensor, hidden: Tensor, fill: str) -> Tensor:
    """The answers under every pair of masks, (B,K,K); on the diagonal those under one."""
    count = len(hidden)
    found = torch.empty(len(images), count, count, dtype=torch.int64, device=images.device)
    for one in range(count):
        for other in range(one, count):
            shown = masked({_IMAGE: images}, hidden[one] | hidden[other], fill)[_IMAGE]
            found[:, one, other] = found[:, other, one] = classify(shown).argmax(1)
    return found


def _decided(pairs: Tensor) -> Tensor:
    """The answer of one image by its answers (K,K) under pairs of masks."""
    single = pairs.diagonal()
    majority = single.mode().values
    for mask in (single != majority).nonzero().flatten().tolist():
        if bool((pairs[mask] == single[mask]).all()):
            return single[mask]
    return majority
