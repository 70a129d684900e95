"""How fast HHA is made, beside the algorithm of the published Python port, in turns within one run.

    python benchmarks/hha.py [--rounds N] [--batch N] [--image FILE.npz]

The baseline does what the port does: eighteen direct two-dimensional convolutions with a first result that is thrown
away, boolean selections for gravity, and an arc cosine at a time in a Python loop. Its output is compared before any
time is taken. Without `--image` (depth_u16, units_per_metre and camera, as in the reference data) the depth map is a
generated room. Processor time of one thread, as medians of the ratios within a round.
"""

import argparse
import math
import time
from collections.abc import Callable
from statistics import median

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.signal import convolve2d

from rgbdsod.datasets import HHAEncoder, encode_hha

Floats = NDArray[np.float64]

SIZE = (480, 640)


def port(depth: Floats, camera: Floats) -> NDArray[np.uint8]:
    """HHA (H,W,3) as the published port computes it, for complete depth."""
    z = 100 * depth
    rows, columns = np.mgrid[1 : z.shape[0] + 1, 1 : z.shape[1] + 1]
    cloud = np.stack([z * (columns - camera[0, 2]) / camera[0, 0], z * (rows - camera[1, 2]) / camera[1, 1], z], -1)
    fine, coarse = port_normals(cloud, 3), port_normals(cloud, 10)
    down = port_gravity(coarse)
    height = -(cloud @ down)
    lowest = height.min()
    height -= -130 if lowest > -90 else lowest
    cosines = np.clip(fine @ down, -1, 1)
    angle = np.array([math.degrees(math.acos(value)) for value in cosines.ravel()]).reshape(z.shape)
    image = np.stack([31000 / np.maximum(z, 100), height, angle + 38], -1)
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def port_normals(cloud: Floats, radius: int) -> Floats:
    """Unit normals from windows of the given radius: rows X/Z, Y/Z, 1 against 1/Z, by the adjugate."""
    x, y, z = np.moveaxis(cloud, -1, 0)
    a, b, one, inverse = x / z, y / z, np.ones_like(z), 1 / z
    window = np.ones((2 * radius + 1, 2 * radius + 1))
    products = (a * a, a * b, a, b * b, b, one, a * inverse, b * inverse, inverse)
    convolve2d(products[0], window, mode="same")  # the port computes a first result and drops it
    aa, ab, a1, bb, b1, n, ai, bi, i1 = (convolve2d(product, window, mode="same") for product in products)
    p = (bb * n - b1 * b1) * ai + (b1 * a1 - ab * n) * bi + (ab * b1 - bb * a1) * i1
    q = (b1 * a1 - ab * n) * ai + (aa * n - a1 * a1) * bi + (ab * a1 - aa * b1) * i1
    s = (ab * b1 - bb * a1) * ai + (ab * a1 - aa * b1) * bi + (aa * bb - ab * ab) * i1
    normal = np.stack([p, q, s], -1)
    normal /= np.sqrt((normal**2).sum(-1, keepdims=True))
    return normal * np.sign((normal * cloud).sum(-1, keepdims=True))


def port_gravity(normal: Floats) -> Floats:
    """Ten rounds over all normals."""
    field, down = normal.reshape(-1, 3).T, np.array([0.0, 1.0, 0.0])
    for limit in [45] * 5 + [15] * 5:
        along = np.abs(down @ field)
        floor, wall = field[:, along > np.cos(np.radians(limit))], field[:, along < np.sin(np.radians(limit))]
        _, vectors = np.linalg.eigh(wall @ wall.T - floor @ floor.T)
        down = vectors[:, 0] * np.sign(vectors[:, 0] @ down)
    return down


def generated_room() -> tuple[Floats, Floats]:
    """A floor, a back wall and two side walls with 5 mm of noise, seen from 1.4 m above the floor."""
    camera = np.array([[519.0, 0, 320.5], [0, 519.0, 240.5], [0, 0, 1]])
    rows, columns = np.mgrid[1 : SIZE[0] + 1, 1 : SIZE[1] + 1]
    rays = np.stack([(columns - 320.5) / 519, (rows - 240.5) / 519, np.ones(SIZE)], -1)
    tilt = np.radians(12)
    down, forward = np.array([0, np.cos(tilt), np.sin(tilt)]), np.array([0, -np.sin(tilt), np.cos(tilt)])
    planes = ((down, 1.4), (forward, 4.0), (np.array([1.0, 0, 0]), 1.6), (np.array([-1.0, 0, 0]), 1.6))
    with np.errstate(divide="ignore"):
        depth = np.min([np.where(rays @ n > 0, distance / (rays @ n), np.inf) for n, distance in planes], axis=0)
    return depth + 0.005 * np.random.default_rng(0).standard_normal(SIZE), camera


def seconds(function: Callable[[], object]) -> float:
    start = time.process_time()
    function()
    return time.process_time() - start


def levels(image: torch.Tensor) -> NDArray[np.int64]:
    return (255 * image[0]).round().permute(1, 2, 0).numpy().astype(np.int64)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--image")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    if chosen.image:
        with np.load(chosen.image) as file:
            depth, camera = file["depth_u16"] / file["units_per_metre"], file["camera"]
    else:
        depth, camera = generated_room()
    batch = torch.tensor(depth, dtype=torch.float32).expand(chosen.batch, 1, *depth.shape).contiguous()
    every, fourth = HHAEncoder(camera, every=1), HHAEncoder(camera)
    held, moving = fourth.held(batch), batch.clone().requires_grad_()
    with torch.no_grad():
        compare(port(depth, camera), depth, camera, levels(every(batch[:1])), levels(fourth(batch[:1])))
    contestants: dict[str, tuple[int, Callable[[], object]]] = {
        "published port's algorithm": (1, lambda: port(depth, camera)),
        "encode_hha, published": (1, lambda: encode_hha(depth, camera, method="published")),
        "encode_hha, fast": (1, lambda: encode_hha(depth, camera)),
        "torch, gravity from all pixels": (chosen.batch, lambda: every(batch)),
        "torch, from every 4th": (chosen.batch, lambda: fourth(batch)),
        "torch, gravity held": (chosen.batch, lambda: held(batch)),
        "the same with its gradient": (chosen.batch, lambda: torch.autograd.grad(held(moving).sum(), moving)),
    }
    for name, (_, function) in contestants.items():
        if not name.startswith("published"):
            function()  # warm up
    taken = [{name: seconds(f) / n for name, (n, f) in contestants.items()} for _ in range(chosen.rounds)]
    first = next(iter(contestants))
    print(f"{'':<32}{'images':>7}{'ms an image':>13}{'times as fast':>15}")
    for name, (count, _) in contestants.items():
        ratio = median(turn[first] / turn[name] for turn in taken)
        print(f"{name:<32}{count:>7}{1000 * median(turn[name] for turn in taken):>13.1f}{ratio:>15.1f}")


def compare(
    wanted: NDArray[np.uint8],
    depth: Floats,
    camera: Floats,
    every: NDArray[np.int64],
    fourth: NDArray[np.int64],
) -> None:
    """Largest difference in levels, and share of the values that differ at all."""
    images = {
        "published": encode_hha(depth, camera, method="published").image,
        "fast": encode_hha(depth, camera).image,
        "torch float32": every,
        "torch float32, every 4th": fourth,
    }
    print(f"{depth.shape[1]}x{depth.shape[0]}, difference from the port's algorithm:")
    for name, image in images.items():
        apart = np.abs(image.astype(np.int64) - wanted)
        print(f"  {name:<26}{apart.max()} levels, {(apart > 0).mean():.3%} of the values")


if __name__ == "__main__":
    main()
