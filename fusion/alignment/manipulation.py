"""Manipulation-aware contrast: which input was attacked, and do the two belong together at all?"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rgbdsod.fusion.alignment.cross import CrossEncoder
from rgbdsod.fusion.alignment.itc import ITC, check_pairs, described, same_group
from rgbdsod.fusion.alignment.precision import Result, full_precision

OUTPUTS = ("rgb", "depth", "mismatch")
"""What the heads answer: RGB attacked, depth attacked, both untouched but of different scenes."""


@full_precision
def manipulation_contrast(
    rgb: Tensor,
    depth: Tensor,
    rgb_twin: Tensor,
    depth_twin: Tensor,
    attacked: Tensor,
    temperature: Tensor | float,
    groups: Tensor | None = None,
) -> Result:
    """The contrast of `itc_loss` in which the attacked twin of each positive is one more negative of its row.

    Args:
        rgb: embeddings (B,E) of untouched inputs; depth: likewise.
        rgb_twin: of the same images' manipulated inputs; depth_twin: likewise.
        attacked: (B,2) bool: whether the twin's RGB, and its depth, was attacked; others do not count.
        temperature: similarities are divided by it.
        groups: (B,), see `itc_loss`.

    Returns:
        The loss, that of `itc_loss` where nothing was attacked, and its diagnostics, with "twin", the mean similarity
        of clean queries to attacked twins.

    Source:
        Shao et al., HAMMER (DGM4), arXiv 2304.02556, section 4.1 (manipulation-aware contrast); that the twin stands
        in the row of its clean partner is this project's.
    """
    check_pairs(rgb, depth)
    check_pairs(rgb_twin, depth_twin)
    rgb, depth, rgb_twin, depth_twin = (F.normalize(x, dim=1) for x in (rgb, depth, rgb_twin, depth_twin))
    similarity = rgb @ depth.T
    blocked = same_group(groups, len(rgb), rgb.device)
    twins = torch.stack([(rgb * depth_twin).sum(1), (depth * rgb_twin).sum(1)])
    used = attacked.to(rgb.device).flip(1).T  # the row of an RGB has the twin of its depth
    losses = [
        _row_loss(one, twin, blocked, count, temperature)
        for one, twin, count in zip((similarity, similarity.T), twins, used, strict=True)
    ]
    mean_twin = (twins.detach() * used).sum() / used.sum().clamp(min=1)
    return (losses[0] + losses[1]) / 2, described(similarity, blocked, temperature) | {"twin": mean_twin}


def _row_loss(similarity: Tensor, twin: Tensor, blocked: Tensor, used: Tensor, temperature: Tensor | float) -> Tensor:
    """Cross-entropy of the diagonal, with the own twin as one more column where it is used."""
    columns = torch.cat([similarity, twin[:, None]], 1) / temperature
    unfit = torch.cat([blocked, ~used[:, None]], 1)
    return -columns.masked_fill(unfit, -torch.inf).log_softmax(1).diagonal().mean()


class Manipulation(nn.Module):
    """Contrast with attacked twins, and three heads on what each input and both together look like.

    Disagreement says that something is wrong, not what; so the heads also see each input's own feature.

    Args:
        channels: of the feature maps, by input name.
        cross: reads depth with RGB; it may be shared with other losses.
        shared: let the gradient reach the encoders. By default it stops before them: a detector wants attacked
            features far from clean ones, a robust network wants them equal.
    """

    def __init__(self, channels: Mapping[str, int], cross: CrossEncoder, *, shared: bool = False) -> None:
        super().__init__()
        self.itc = ITC(channels, size=cross.width, pool="attn")
        self.cross, self.shared = cross, shared
        self.heads = nn.Sequential(
            nn.Linear(4 * cross.width, cross.width), nn.GELU(), nn.Linear(cross.width, len(OUTPUTS))
        )

    @full_precision
    def logits(self, rgb: Tensor, depth: Tensor) -> Tensor:
        """Logits (B,3) of `OUTPUTS`, three independent answers, for feature maps (B,C,h,w).

        The gradient goes through, so that an attack that knows the detector can be made.
        """
        return self._judge(*self._seen(rgb, depth))

    def _seen(self, rgb: Tensor, depth: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The class token and both embeddings."""
        return self.cross(rgb, depth)[0], self.itc.embed("rgb", rgb), self.itc.embed("depth", depth)

    def _judge(self, token: Tensor, rgb: Tensor, depth: Tensor) -> Tensor:
        logits: Tensor = self.heads(torch.cat([token, rgb, depth, (rgb - depth).abs()], 1))
        return logits

    @full_precision
    def forward(
        self,
        rgb: Tensor,
        depth: Tensor,
        rgb_twin: Tensor,
        depth_twin: Tensor,
        labels: Tensor,
        groups: Tensor | None = None,
    ) -> Result:
        """Contrast plus binary cross-entropy of the heads on the clean and on the manipulated pairs.

        Args:
            rgb: features (B,C,h,w) of the untouched inputs; depth: likewise.
            rgb_twin: of the manipulated pair, which may differ in one input, in both, or in none; depth_twin: likewise.
            labels: (B,3) bool in the order of `OUTPUTS`; of a swapped pair only the last is true.
            groups: (B,), see `itc_loss`.

        Returns:
            The loss; the diagnostics of `manipulation_contrast`; and for each head "accuracy_rgb", "accuracy_depth",
            "accuracy_mismatch", over clean and manipulated pairs.
        """
        if not self.shared:
            rgb, depth, rgb_twin, depth_twin = (x.detach() for x in (rgb, depth, rgb_twin, depth_twin))
        # As one batch, so that its statistics do not tell clean ones from others.
        token, r, d = self._seen(torch.cat([rgb, rgb_twin]), torch.cat([depth, depth_twin]))
        n, attacked = len(rgb), labels[:, :2]
        contrast, seen = manipulation_contrast(r[:n], d[:n], r[n:], d[n:], attacked, self.itc.temperature, groups)
        logits = self._judge(token, r, d)
        wanted = torch.cat([torch.zeros_like(labels), labels]).to(logits)
        heads = F.binary_cross_entropy_with_logits(logits, wanted)
        right = ((logits > 0) == (wanted > 0.5)).float().mean(0)
        return contrast + heads, seen | {f"accuracy_{name}": right[k] for k, name in enumerate(OUTPUTS)}


@full_precision
def patch_loss(consistency: Tensor, patch: Tensor) -> Tensor:
    """Dice loss of a map that should be high where a patch was put.

    Args:
        consistency: of `consistency_map`, (B,1,h,w) in [0, 2].
        patch: where it was put, (B,1,H,W) in [0, 1].

    Returns:
        1 - Dice, one number, over the images that have a patch; 0 if none has.
    """
    height, width = consistency.shape[-2:]
    there = F.adaptive_avg_pool2d(patch, (height, width)).flatten(1)
    found = (consistency / 2).clamp(0, 1).flatten(1)
    dice = 2 * (found * there).sum(1) / (found.square().sum(1) + there.square().sum(1)).clamp(min=1e-6)
    has = (there.sum(1) > 0).float()
    return ((1 - dice) * has).sum() / has.sum().clamp(min=1)
