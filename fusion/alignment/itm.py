"""RGB-depth matching: does this depth map belong to this image?"""

from math import log

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rgbdsod.fusion.alignment.cross import CrossEncoder
from rgbdsod.fusion.alignment.negatives import hard_negatives
from rgbdsod.fusion.alignment.precision import Result, full_precision

FOREIGN = 3
"""Pairs that do not belong together for each one that does, in training; a score at even odds takes it out again."""


class ITM(nn.Module):
    """A cross-encoder with two outputs, "does not belong" and "belongs".

    Args:
        cross: reads depth with RGB; it may be shared with other losses.

    Source:
        Li et al., ALBEF, arXiv 2107.07651, section 3.2; displaced depth as a negative is this project's.
    """

    def __init__(self, cross: CrossEncoder) -> None:
        super().__init__()
        self.cross = cross
        self.head = nn.Linear(cross.width, 2)

    @full_precision
    def logits(self, rgb: Tensor, depth: Tensor) -> Tensor:
        """Logits (B,2) of pairs of feature maps (B,C,h,w)."""
        token, _ = self.cross(rgb, depth)
        logits: Tensor = self.head(token)
        return logits

    def score(self, rgb: Tensor, depth: Tensor) -> Tensor:
        """Probability (B,) that the depth belongs to the RGB, if as many pairs belong together as not."""
        foreign, own = self.logits(rgb, depth).unbind(1)
        return torch.sigmoid(own - foreign + log(FOREIGN))

    @full_precision
    def forward(
        self,
        rgb: Tensor,
        depth: Tensor,
        similarity: Tensor,
        generator: torch.Generator,
        groups: Tensor | None = None,
        altered: Tensor | None = None,
        visible: Tensor | None = None,
    ) -> Result:
        """Cross-entropy over true pairs, hard negatives of either input, and each image's own altered depth.

        Args:
            rgb: features (B,C,h,w); depth: likewise.
            similarity: of ITC, over its temperature, (B,B): RGB by depth.
            generator: on the CPU; of the hard negatives.
            groups: (B,), see `itc_loss`.
            altered: features of the depth of `altered_depth`; needed where a batch has one image or one group.
            visible: whether it differs from the depth, (B,).

        Returns:
            The loss, and the accuracy on each kind of pair: "true", "hard", "altered" (1 where there are none).
        """
        other_depth, found_depth = hard_negatives(similarity, groups, generator)
        other_rgb, found_rgb = hard_negatives(similarity.T, groups, generator)
        pairs = [(rgb, depth), (rgb, depth[other_depth]), (rgb[other_rgb], depth)]
        counted = [torch.ones_like(found_rgb), found_depth, found_rgb]
        if altered is not None:
            pairs.append((rgb, altered))
            counted.append(torch.ones_like(found_rgb) if visible is None else visible)
        logits = self.logits(torch.cat([pair[0] for pair in pairs]), torch.cat([pair[1] for pair in pairs]))
        labels = torch.zeros(len(logits), dtype=torch.long, device=logits.device)
        labels[: len(rgb)] = 1
        weights = torch.cat(counted).float()
        loss = (F.cross_entropy(logits, labels, reduction="none") * weights).sum() / weights.sum()
        right = (logits.argmax(1) == labels).float()
        return loss, _accuracies(right.detach(), weights, len(rgb))


def _accuracies(right: Tensor, counted: Tensor, batch: int) -> dict[str, Tensor]:
    """Shares of right answers among true pairs, hard negatives and altered ones."""
    parts = {"true": slice(0, batch), "hard": slice(batch, 3 * batch), "altered": slice(3 * batch, None)}
    found = {}
    for name, part in parts.items():
        number = counted[part].sum()
        share = (right[part] * counted[part]).sum() / number.clamp(min=1)
        found[name] = torch.where(number > 0, share, torch.ones_like(share))
    return found
