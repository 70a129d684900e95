"""How long a generated scene takes.

    python benchmarks/scenes.py [--count N]

Prints, for each size, milliseconds per scene on one core, nanoseconds per pixel, and the time as a ratio to that of
drawing the scene's sensor noise alone (four standard normal numbers per pixel of RGB-D would be a floor of 1).
"""

import argparse
import time

import cv2
import numpy as np

from rgbdsod.datasets import scene

SIZES = (128, 256, 352)
SEED = 1


def milliseconds_of_scenes(count: int, side: int) -> float:
    start = time.process_time()
    for index in range(count):
        scene(index, seed=SEED, size=(side, side))
    return 1000 * (time.process_time() - start) / count


def milliseconds_of_noise(count: int, side: int) -> float:
    start = time.process_time()
    for index in range(count):
        np.random.default_rng((SEED, index)).standard_normal((4, side, side), dtype=np.float32)
    return 1000 * (time.process_time() - start) / count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200)
    count = parser.parse_args().count
    cv2.setNumThreads(1)
    milliseconds_of_scenes(5, SIZES[0])
    print("     size   ms/scene   ns/pixel   ratio to noise")
    for side in SIZES:
        taken, floor = milliseconds_of_scenes(count, side), milliseconds_of_noise(count, side)
        print(f"{side:>4}x{side:<4} {taken:>9.2f} {1e6 * taken / side**2:>10.0f} {taken / floor:>12.1f}")


if __name__ == "__main__":
    main()
