"""Defences against patches, batched, against per-image numpy versions: times and equality of values of one run.

    python benchmarks/patch_defenses.py
    python benchmarks/patch_defenses.py --device cuda

Each round runs the numpy version and this package one after the other on the same images, so a busy moment hits both;
the ratio is the median over rounds of each round's ratio. Times are those of the process on a processor, where other
programs would be counted too, and of the clock on an accelerator. LGS is timed with its response, Jedi with what it
flags; inpainting is apart, since any localiser can have it. Both sides run with an allocator that keeps freed memory.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import median
from time import perf_counter, process_time
from typing import Annotated, Any

import numpy as np
import torch
import typer
from attack_floor import keep_freed_memory
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from torch import Tensor

from rgbdsod.defenses import fill, patch_defense
from rgbdsod.defenses.patch.jedi import SCALES, Jedi

Picture = NDArray[np.float64]
JACOBI_STEPS = 200


@dataclass(frozen=True)
class Row:
    """One defence; times in milliseconds per image."""

    defence: str
    numpy: float
    ours: float
    ratio: float
    worst: float
    difference: float


def grey(image: Picture) -> Picture:
    return np.einsum("chw,c->hw", image, [0.299, 0.587, 0.114])


def numpy_lgs(image: Picture) -> Picture:
    around = np.pad(grey(image), 1, mode="edge")
    size = np.hypot(around[2:, 1:-1] - around[:-2, 1:-1], around[1:-1, 2:] - around[1:-1, :-2])
    size = (size - size.min()) / max(size.max() - size.min(), 1e-8)
    flagged = np.zeros(size.shape, bool)
    last = [(side - 15) // 10 for side in size.shape]
    for row in range(last[0] + 1):
        for column in range(last[1] + 1):
            down_to = size.shape[0] if row == last[0] else 10 * row + 15
            right_to = size.shape[1] if column == last[1] else 10 * column + 15
            if size[10 * row : 10 * row + 15, 10 * column : 10 * column + 15].mean() > 0.1:
                flagged[10 * row : down_to, 10 * column : right_to] = True
    return image * (1 - flagged * np.clip(2.3 * size, 0, 1))


def numpy_jedi(image: Picture) -> Picture:
    """Which cells are flagged, before blobs are dropped."""
    level = np.rint(grey(image.astype(np.float32)) * 255).astype(np.int64)
    rows, columns = (side // 4 for side in level.shape)
    flagged = np.zeros((rows, columns))
    for scale in SCALES:
        entropies = np.zeros((rows - scale.cells + 1, columns - scale.cells + 1))
        for y, x in np.ndindex(*entropies.shape):
            window = level[4 * y : 4 * (y + scale.cells), 4 * x : 4 * (x + scale.cells)]
            share = np.bincount(window.ravel(), minlength=256) / window.size
            share = share[share > 0]
            entropies[y, x] = -(share * np.log2(share)).sum()
        calm = 1.5 - 2 * (scale.patch - scale.clean) / scale.patch
        limit = scale.patch + scale.patch_spread * (calm + (entropies.mean() - scale.clean) / scale.clean_spread)
        for y, x in np.argwhere(entropies > limit):
            flagged[y : y + scale.cells, x : x + scale.cells] = 1
    return flagged


def numpy_median(image: Picture) -> Picture:
    padded = np.pad(image, ((0, 0), (2, 2), (2, 2)), mode="reflect")
    return np.median(sliding_window_view(padded, (5, 5), axis=(1, 2)), axis=(-2, -1))


def numpy_tv(image: Picture) -> Picture:
    down, right = np.zeros_like(image), np.zeros_like(image)

    def divergence() -> Picture:
        found = down + right
        found[:, 1:] -= down[:, :-1]
        found[:, :, 1:] -= right[:, :, :-1]
        return found

    for _ in range(50):
        now = image + divergence()
        down[:, :-1] += 0.125 * np.diff(now, axis=1)
        right[:, :, :-1] += 0.125 * np.diff(now, axis=2)
        scale = np.maximum(np.hypot(down, right) / 0.1, 1)
        down, right = down / scale, right / scale
    return np.clip(image + divergence(), 0, 1)


def numpy_inpaint(image: Picture, mask: NDArray[np.bool_]) -> Picture:
    now = image.copy()
    now[:, mask] = image[:, ~mask].mean(1, keepdims=True)
    for _ in range(JACOBI_STEPS):
        around = np.pad(now, ((0, 0), (1, 1), (1, 1)), mode="edge")
        mean = (around[:, 2:, 1:-1] + around[:, :-2, 1:-1] + around[:, 1:-1, 2:] + around[:, 1:-1, :-2]) / 4
        now[:, mask] = mean[:, mask]
    return now


def jedi_cells(images: Tensor) -> Tensor:
    """The flagged cells of each image."""
    return (Jedi().evidence(images)[:, 0, ::4, ::4] > 0).float()


def pictures(count: int, side: int) -> tuple[Tensor, Tensor]:
    """Smooth images with some texture and a patch of noise, and the patch's mask."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(count, 3, 6, 6, generator=generator)
    images = torch.nn.functional.interpolate(coarse, (side, side), mode="bicubic").clamp(0, 1)
    images = (images + 0.03 * torch.randn(images.shape, generator=generator)).clamp(0, 1)
    start, end = side // 3, side // 3 + side // 4
    images[..., start:end, start:end] = torch.rand(count, 3, end - start, end - start, generator=generator)
    mask = torch.zeros(count, 1, side, side)
    mask[..., start:end, start:end] = 1
    return (images * 255).round() / 255, mask


def compare(
    name: str, images: Tensor, reference: Callable[[Picture], Picture], ours: Callable[[Tensor], Tensor], rounds: int
) -> Row:
    """Both ways, interleaved; the difference is the largest of the values."""
    arrays = [image.double().cpu().numpy() for image in images]

    def clock() -> float:
        if not images.is_cuda:
            return process_time()
        torch.cuda.synchronize()
        return perf_counter()

    expected, found = np.stack([reference(image) for image in arrays]), ours(images).cpu().numpy()
    theirs, own = [], []
    for _ in range(rounds):
        start = clock()
        for image in arrays:
            reference(image)
        between = clock()
        ours(images)
        theirs.append(between - start)
        own.append(clock() - between)
    ratios = [slow / fast for slow, fast in zip(theirs, own, strict=True)]
    per_image = 1000 / len(images)
    difference = float(np.abs(expected - found).max())
    return Row(name, median(theirs) * per_image, median(own) * per_image, median(ratios), min(ratios), difference)


@torch.no_grad()
def measure(batch: int, side: int, rounds: int, device: str) -> list[Row]:
    """All rows."""
    images, mask = (value.to(device) for value in pictures(batch, side))
    hidden = mask[0, 0].cpu().numpy() > 0

    def by(name: str) -> Callable[[Tensor], Tensor]:
        defence = patch_defense(name)
        return lambda x: defence({"image": x}).inputs["image"]

    return [
        compare("lgs", images, numpy_lgs, by("lgs"), rounds),
        compare("jedi", images, numpy_jedi, jedi_cells, rounds),
        compare("median", images, numpy_median, by("median"), rounds),
        compare("tv", images, numpy_tv, by("tv"), rounds),
        compare("inpaint", images, lambda x: numpy_inpaint(x, hidden), lambda x: fill(x, mask), rounds),
    ]


def show(rows: list[Row]) -> None:
    table = Table("defence", "numpy, ms", "rgbdsod, ms", "ratio", "worst round", "difference")
    for row in rows:
        times = [f"{row.numpy:.1f}", f"{row.ours:.2f}", f"{row.ratio:.1f}", f"{row.worst:.1f}"]
        table.add_row(row.defence, *times, f"{row.difference:.0e}")
    Console(width=100).print(table)


def main(
    batch: Annotated[int, typer.Option(help="images in a batch")] = 8,
    side: Annotated[int, typer.Option(help="of the images, in pixels")] = 224,
    rounds: Annotated[int, typer.Option(help="how often each is timed")] = 5,
    threads: Annotated[int, typer.Option(help="threads of PyTorch")] = 1,
    device: Annotated[str, typer.Option(help="cpu, cuda, ...")] = "cpu",
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document")] = False,
) -> None:
    """Time the batched defences against numpy and compare the values."""
    keep_freed_memory()
    torch.set_num_threads(threads)
    rows: list[Any] = measure(batch, side, rounds, device)
    if as_json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        show(rows)
    if max(row.difference for row in rows) > 1e-3:
        raise typer.Exit(6)


if __name__ == "__main__":
    typer.run(main)
