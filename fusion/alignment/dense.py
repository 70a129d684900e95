"""Dense RGB-depth contrast: every place of one input finds the same place of the other."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rgbdsod.errors import UsageError
from rgbdsod.fusion.alignment.itc import same_group
from rgbdsod.fusion.alignment.pooling import embedding_size
from rgbdsod.fusion.alignment.precision import Result, full_precision
from rgbdsod.fusion.alignment.temperature import Temperature


@dataclass(frozen=True)
class _Places:
    """Sampled places of a batch.

    Args:
        row, column: (B,K).
        blocked: (BK,BK), pairs that are no negatives.
    """

    row: Tensor
    column: Tensor
    blocked: Tensor


@full_precision
def dense_itc_loss(
    rgb: Tensor,
    depth: Tensor,
    temperature: Tensor | float,
    *,
    generator: torch.Generator,
    points: int = 256,
    groups: Tensor | None = None,
    near: int = 1,
    far: int = 2,
) -> Result:
    """Contrast between places instead of images.

    Args:
        rgb: features (B,E,h,w), projected; depth: likewise, of the same size.
        temperature: similarities are divided by it.
        generator: on the CPU; of the places.
        points: places per image at most; (B * points)^2 similarities are computed.
        groups: (B,), see `itc_loss`; other images of one group are no negatives.
        near: the positive is the best match within this distance, which forgives errors of registration.
        far: places of the same image are negatives beyond this distance.

    Returns:
        The loss; "accuracy" (share of places whose positive beats all negatives), "positive", "negative".

    Raises:
        UsageError: the maps differ in shape.

    Source:
        Wang et al., DenseCL, arXiv 2011.09157, equation 2, between two inputs instead of two views; the radii are
        this project's.
    """
    if rgb.ndim != 4 or rgb.shape != depth.shape:
        raise UsageError(f"features are {tuple(rgb.shape)} and {tuple(depth.shape)}; pass two of one shape (B,E,h,w)")
    rgb, depth = F.normalize(rgb, dim=1), F.normalize(depth, dim=1)
    places = _sampled(rgb, points, groups, far, generator)
    one, seen = _one_way(rgb, depth, places, temperature, near)
    other, _ = _one_way(depth, rgb, places, temperature, near)
    return (one + other) / 2, seen


@full_precision
def consistency_map(rgb: Tensor, depth: Tensor) -> Tensor:
    """Where the inputs disagree: 1 - cosine of their features at each place.

    Args:
        rgb: projected features (B,E,h,w); depth: likewise.

    Returns:
        (B,1,h,w) in [0, 2].
    """
    return 1 - F.cosine_similarity(rgb, depth, dim=1)[:, None]


def _sampled(like: Tensor, points: int, groups: Tensor | None, far: int, generator: torch.Generator) -> _Places:
    """`points` places of each image without repetition."""
    count, _, height, width = like.shape
    points = min(points, height * width)
    flat = torch.rand(count, height * width, generator=generator).argsort(1)[:, :points].to(like.device)
    row, column = flat // width, flat % width
    distance = torch.maximum(_gaps(row), _gaps(column))
    image = torch.arange(count, device=like.device).repeat_interleave(points)
    same = image[:, None] == image
    kin = same_group(groups, count, like.device).repeat_interleave(points, 0).repeat_interleave(points, 1)
    return _Places(row, column, kin | (same & (distance <= far)))


def _gaps(coordinate: Tensor) -> Tensor:
    flat = coordinate.flatten()
    return (flat[:, None] - flat).abs()


def _one_way(
    query: Tensor, key: Tensor, places: _Places, temperature: Tensor | float, near: int
) -> tuple[Tensor, dict[str, Tensor]]:
    """Cross-entropy of the places' features in `query` against those in `key`."""
    queries, keys = _gathered(query, places), _gathered(key, places)
    positive = _best_near(queries, key, places, near)
    negative = queries @ keys.T
    # Blocked pairs become infinite only after the division, whose gradient they would else make NaN.
    others = (negative / temperature).masked_fill(places.blocked, -torch.inf)
    loss = -torch.cat([(positive / temperature)[:, None], others], 1).log_softmax(1)[:, 0].mean()
    with torch.no_grad():
        kept = ~places.blocked
        mean = (negative * kept).sum() / kept.sum().clamp(min=1)
        beats = ((positive[:, None] >= negative) | places.blocked).all(1).float().mean()
        return loss, {"accuracy": beats, "positive": positive.mean(), "negative": mean}


def _gathered(feature: Tensor, places: _Places) -> Tensor:
    """Features (BK,E) at the places."""
    image = torch.arange(len(feature), device=feature.device)[:, None]
    return feature[image, :, places.row, places.column].flatten(0, 1)


def _best_near(queries: Tensor, key: Tensor, places: _Places, near: int) -> Tensor:
    """Highest similarity (BK,) with a place of `key` within `near` of the query's own."""
    height, width = key.shape[-2:]
    image = torch.arange(len(key), device=key.device)[:, None]
    found = []
    for down in range(-near, near + 1):
        for right in range(-near, near + 1):
            # Clamping repeats a place that is allowed anyway, so the border needs no other care.
            row = (places.row + down).clamp(0, height - 1)
            column = (places.column + right).clamp(0, width - 1)
            found.append((queries * key[image, :, row, column].flatten(0, 1)).sum(1))
    return torch.stack(found).amax(0)


class DenseITC(nn.Module):
    """Dense RGB-depth contrast with its own projections and a learned temperature.

    Args:
        channels: of the feature maps, by input name.
        size: of the projected features; None: 256, or 128 for encoders narrower than 256.
        points: places per image at most.
    """

    def __init__(self, channels: Mapping[str, int], *, size: int | None = None, points: int = 256) -> None:
        super().__init__()
        size = size or embedding_size(min(channels.values()))
        self.project = nn.ModuleDict({name: nn.Conv2d(width, size, 1) for name, width in channels.items()})
        self.learned = Temperature()
        self.points = points

    @full_precision
    def forward(self, rgb: Tensor, depth: Tensor, generator: torch.Generator, groups: Tensor | None = None) -> Result:
        """The loss of `dense_itc_loss` for feature maps (B,C,h,w) of one level."""
        rgb, depth = self.project["rgb"](rgb), self.project["depth"](depth)
        return dense_itc_loss(rgb, depth, self.learned(), generator=generator, points=self.points, groups=groups)

    @full_precision
    def consistency(self, rgb: Tensor, depth: Tensor) -> Tensor:
        """`consistency_map` of feature maps (B,C,h,w)."""
        return consistency_map(self.project["rgb"](rgb), self.project["depth"](depth))
