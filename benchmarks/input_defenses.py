"""Filters of inputs beside those of SciPy, OpenCV, scikit-image, kornia, Pillow, torchvision and numpy, in one run.

    python benchmarks/input_defenses.py
    python benchmarks/input_defenses.py --device cuda

Each round runs the peer and this package one after the other on the same images; the ratio is the median over rounds
of each round's ratio, above 1 where this package is faster. Times are those of the process on a processor and of the
clock on an accelerator. "batch" hands this package all images at once, "one by one" each alone; a peer takes what it
can. Differences are the largest of values away from the border, since every package treats that in its own way; none
is given where the two compute different things: OpenCV's bilateral filter has a round window, and SLIC no fixed answer.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from io import BytesIO
from statistics import median
from time import perf_counter, process_time
from typing import Annotated

import cv2
import kornia.filters
import numpy as np
import torch
import typer
from attack_floor import keep_freed_memory
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.table import Table
from scipy.ndimage import median_filter
from skimage.restoration import denoise_bilateral, denoise_tv_chambolle
from skimage.segmentation import slic
from torch import Tensor
from torchvision.io import decode_jpeg, encode_jpeg

from rgbdsod.defenses import compose

Picture = NDArray[np.float32]
Way = Callable[[Tensor], Tensor]
BORDER = 8
QUALITY, BITS, SIDE = 75, 5, 4


@dataclass(frozen=True)
class Peer:
    """Another implementation of a filter.

    Args:
        chain: of `compose`, with its settings as the peer has them.
        name: of the other package.
        way: of a batch.
        on: the input that is filtered.
        same: whether it computes the same.
    """

    chain: str
    name: str
    way: Way
    on: str = "rgb"
    same: bool = True


@dataclass(frozen=True)
class Row:
    """One comparison; times in milliseconds per image."""

    chain: str
    on: str
    peer: str
    images: str
    theirs: float
    ours: float
    ratio: float
    difference: float | None


def each(function: Callable[[Picture], Picture]) -> Way:
    """A function of a picture (H,W,C), or (H,W) of one channel, as one of a batch."""

    def way(images: Tensor) -> Tensor:
        found = []
        for image in images.permute(0, 2, 3, 1).cpu().numpy():
            picture = function(np.ascontiguousarray(image[..., 0] if image.shape[-1] == 1 else image))
            found.append(np.moveaxis(np.atleast_3d(picture), -1, 0))
        return torch.from_numpy(np.stack(found)).to(images)

    return way


def bytes_of(picture: Picture) -> NDArray[np.uint8]:
    return (picture * 255).round().astype(np.uint8)


def pillow_jpeg(picture: Picture) -> Picture:
    file = BytesIO()
    Image.fromarray(bytes_of(picture)).save(file, "JPEG", quality=QUALITY)
    return np.asarray(Image.open(file), np.float32) / 255


def torchvision_jpeg(images: Tensor) -> Tensor:
    levels = (images * 255).round().byte().cpu()
    return torch.stack([decode_jpeg(encode_jpeg(image, QUALITY)) for image in levels]).to(images) / 255


def numpy_bits(picture: Picture) -> Picture:
    top = 2**BITS - 1
    return np.round(picture * top) / top


def shuffled(picture: Picture) -> Picture:
    number = slic(picture, picture.shape[0] * picture.shape[1] // SIDE**2, start_label=0).ravel()
    rng = np.random.default_rng(0)
    chance = rng.random(number.size)
    flat = picture.reshape(number.size, -1)
    found = np.empty_like(flat)
    found[np.argsort(number, kind="stable")] = flat[np.lexsort((chance, number))]
    return found.reshape(picture.shape)


def guide_of(images: Tensor) -> Tensor:
    """Depth of an image of the benchmark."""
    return images.mean(1, keepdim=True)


def peers() -> Iterator[Peer]:
    """All comparisons."""
    yield Peer("median", "scipy", each(lambda x: median_filter(x, (5, 5, 1), mode="mirror")))
    yield Peer("median", "opencv", each(lambda x: cv2.medianBlur(x, 5)))
    yield Peer("median", "kornia", lambda x: kornia.filters.median_blur(x, 5))
    yield Peer(
        "bilateral",
        "scikit-image",
        each(lambda x: denoise_bilateral(x, 5, 0.1, 2.0, mode="reflect").astype(np.float32)),
        "depth",
    )
    yield Peer("bilateral", "opencv", each(lambda x: cv2.bilateralFilter(x, 5, 0.1, 2.0)), same=False)
    yield Peer(
        "joint-bilateral",
        "kornia",
        lambda x: kornia.filters.joint_bilateral_blur(guide_of(x), x, (7, 7), 0.1, (3.0, 3.0)),
        "depth by rgb",
    )
    yield Peer(
        "tv(steps=200)",
        "scikit-image",
        each(lambda x: denoise_tv_chambolle(x, 0.1, eps=0, max_num_iter=200, channel_axis=-1)),
    )
    yield Peer("jpeg", "pillow", each(pillow_jpeg))
    yield Peer("jpeg", "torchvision", torchvision_jpeg)
    yield Peer("bits", "numpy", each(numpy_bits))
    yield Peer("shuffle", "scikit-image, numpy", each(shuffled), same=False)


def pictures(count: int, height: int, width: int) -> Tensor:
    """Smooth images with some texture, of 256 levels."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(count, 3, 6, 8, generator=generator)
    images = torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic").clamp(0, 1)
    images = images + 0.03 * torch.randn(images.shape, generator=generator)
    return (images.clamp(0, 1) * 255).round() / 255


def ours_of(peer: Peer, one_by_one: bool) -> Way:
    """This package's filter of the same batch."""
    chain = compose(peer.chain)

    def way(images: Tensor) -> Tensor:
        if peer.on == "depth by rgb":
            return chain({"rgb": images, "depth": guide_of(images)}).inputs["depth"]
        return chain({peer.on: images}).inputs[peer.on]

    return (lambda images: torch.cat([way(image[None]) for image in images])) if one_by_one else way


def compare(peer: Peer, images: Tensor, one_by_one: bool, rounds: int) -> Row:
    """Both ways, interleaved."""
    ours = ours_of(peer, one_by_one)
    images = guide_of(images) if peer.on == "depth" else images

    def clock() -> float:
        if not images.is_cuda:
            return process_time()
        torch.cuda.synchronize()
        return perf_counter()

    inner = slice(BORDER, -BORDER)
    difference = float((peer.way(images) - ours(images))[..., inner, inner].abs().max()) if peer.same else None
    theirs, own = [], []
    for _ in range(rounds):
        start = clock()
        peer.way(images)
        between = clock()
        ours(images)
        theirs.append(between - start)
        own.append(clock() - between)
    count, height, width = len(images), *images.shape[-2:]
    how = f"{count} of {height}x{width}" + ("" if count == 1 else ", one by one" if one_by_one else ", batch")
    ratio = median(other / mine for other, mine in zip(theirs, own, strict=True))
    each_ms = 1000 / count
    return Row(peer.chain, peer.on, peer.name, how, median(theirs) * each_ms, median(own) * each_ms, ratio, difference)


@torch.no_grad()
def measure(rounds: int, device: str) -> list[Row]:
    """All rows."""
    several, large = pictures(8, 128, 128).to(device), pictures(1, 480, 640).to(device)
    rows = []
    for peer in peers():
        rows += [compare(peer, several, one_by_one, rounds) for one_by_one in (False, True)]
        rows.append(compare(peer, large, False, rounds))
    return rows


def show(rows: list[Row]) -> None:
    table = Table("filter", "of", "peer", "images", "peer, ms", "rgbdsod, ms", "ratio", "difference")
    for row in rows:
        difference = "" if row.difference is None else f"{row.difference:.0e}"
        times = [f"{row.theirs:.2f}", f"{row.ours:.2f}", f"{row.ratio:.2f}"]
        table.add_row(row.chain, row.on, row.peer, row.images, *times, difference)
    Console(width=130).print(table)


def main(
    rounds: Annotated[int, typer.Option(help="how often each is timed")] = 5,
    threads: Annotated[int, typer.Option(help="threads of PyTorch and OpenCV")] = 1,
    device: Annotated[str, typer.Option(help="cpu, cuda, ...")] = "cpu",
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document")] = False,
) -> None:
    """Time the filters beside their peers and compare the values."""
    keep_freed_memory()
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
    rows = measure(rounds, device)
    if as_json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        show(rows)


if __name__ == "__main__":
    typer.run(main)
