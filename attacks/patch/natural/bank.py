"""Crops of photographs, and where photographs come from."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import cycle
from pathlib import Path

import cv2
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from rgbdsod.attacks.patch.pose import Size
from rgbdsod.attacks.randomness import Streams, stream
from rgbdsod.errors import DataError, UsageError
from rgbdsod.foreign.pictures import read_picture

COUNT = 64
DEMO = "demo"
_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
_THUMBNAIL, _SAME = 8, 3 / 255  # pictures whose thumbnails of 8 x 8 differ by less on average are one


@dataclass(frozen=True, eq=False)
class Bank:
    """Crops of photographs.

    Args:
        crops: (N,3,h,w) in [0, 1], on the grid of 8 bit.
        seed: of who draws which.
    """

    crops: Tensor
    seed: int = 0

    def drawn(self, ids: Sequence[str]) -> Tensor:
        """A crop for each sample, (B,3,h,w), by its id."""
        return self._picked(Streams(self.seed, ids, "patch", "crop"), len(ids))

    def start(self, streams: Streams, like: Tensor) -> Tensor:
        """A crop for each sample, of the type and device of `like`, from its stream."""
        return self._picked(streams, len(like)).to(like)

    def _picked(self, streams: Streams, samples: int) -> Tensor:
        share = streams.uniform(torch.empty(samples, 1))[:, 0]
        return self.crops[(share * len(self.crops)).long()]


def open_bank(folder: str, canvas: Size, attacked: Iterable[Tensor], *, count: int = COUNT, seed: int = 0) -> Bank:
    """Crops of photographs of a folder, none of which is attacked.

    Args:
        folder: of photographs; "demo": those that come with the package, on which its networks were trained.
        canvas: (h, w) of a crop.
        attacked: batches (B,3,H,W) in [0, 1]; a photograph that is among them is left out.
        count: how many crops.
        seed: of places and sizes.

    Raises:
        DataError: the folder or a photograph cannot be read.
        UsageError: all photographs are attacked.
    """
    left = _left(read_photographs(folder, count, seed), attacked)
    if not left:
        raise UsageError(f"--set crops={folder}: all its photographs are attacked; pass a folder of others")
    return Bank(cut_crops(left, canvas, count, seed), seed)


def read_photographs(folder: str, most: int, seed: int = 0) -> list[Tensor]:
    """Photographs (3,H,W) in [0, 1] of a folder, in a seeded order, at most so many.

    Args:
        folder: of photographs; "demo": those that come with the package.
        most: how many.
        seed: of the order.

    Raises:
        DataError: the folder or a photograph cannot be read.
    """
    return [_read(path) for path in _photographs(folder, most, seed)]


def cut_crops(photographs: Sequence[Tensor], canvas: Size, count: int, seed: int = 0) -> Tensor:
    """Crops (N,3,h,w) on the grid of 8 bit, of one photograph after the other.

    Args:
        photographs: (3,H,W) in [0, 1] each.
        canvas: (h, w) of a crop.
        count: how many.
        seed: of places and sizes.
    """
    pieces = zip(range(count), cycle(photographs), strict=False)
    cut = [_cut(photograph, canvas, stream(seed, "patch", "crop", at)) for at, photograph in pieces]
    return (torch.stack(cut) * 255).round() / 255


def _photographs(folder: str, count: int, seed: int) -> list[Path]:
    """The photographs of a folder, in a seeded order, at most so many."""
    if folder == DEMO:
        folder = str(files("rgbdsod.datasets").joinpath("assets", "potholes", "RGB"))  # files, not code, of that room
    place = Path(folder)
    if not place.is_dir():
        raise DataError(f"--set crops={folder}: no such folder; pass one of photographs")
    found = sorted(path for path in place.iterdir() if path.suffix.lower() in _SUFFIXES)
    if not found:
        raise DataError(f"--set crops={folder}: no photographs there (*{', *'.join(_SUFFIXES)})")
    order = torch.randperm(len(found), generator=stream(seed, "patch", "photographs"))
    return [found[at] for at in order[:count].tolist()]


def _read(path: Path) -> Tensor:
    """A photograph (3,H,W) in [0, 1]."""
    values = read_picture(path, cv2.IMREAD_COLOR)
    if values is None:
        raise DataError(f"cannot read {path} as a photograph; take it out of the folder")
    return torch.from_numpy(cv2.cvtColor(values, cv2.COLOR_BGR2RGB)).permute(2, 0, 1).float() / 255


def _left(photographs: Sequence[Tensor], attacked: Iterable[Tensor]) -> list[Tensor]:
    """The photographs that are not attacked."""
    small = torch.cat([_thumbnails(one[None]) for one in photographs])
    known = torch.zeros(len(photographs), dtype=torch.bool)
    for batch in attacked:
        gaps = (small[:, None] - _thumbnails(batch)[None]).abs().mean((2, 3, 4))
        known |= (gaps < _SAME).any(1)
    return [one for one, attacked_too in zip(photographs, known.tolist(), strict=True) if not attacked_too]


def _thumbnails(batch: Tensor) -> Tensor:
    return interpolate(batch.detach().float().cpu(), (_THUMBNAIL, _THUMBNAIL), mode="area")


def _cut(photograph: Tensor, canvas: Size, generator: torch.Generator) -> Tensor:
    """A part of a photograph with the canvas's sides, from as large as it goes down to the canvas's own size."""
    height, width = photograph.shape[-2:]
    most = min(height / canvas[0], width / canvas[1])
    share, y, x = torch.rand(3, generator=generator).tolist()
    scale = most if most < 1 else most**share
    rows, columns = (min(side, max(1, round(scale * own))) for side, own in zip((height, width), canvas, strict=True))
    top, left = round(y * (height - rows)), round(x * (width - columns))
    part = photograph[None, :, top : top + rows, left : left + columns]
    if (rows, columns) == tuple(canvas):
        return part[0]
    if scale < 1:
        return interpolate(part, canvas, mode="bilinear", align_corners=False)[0]
    return interpolate(part, canvas, mode="area")[0]
