"""How fast `rgbdsod --help` and `rgbdsod list` answer, beside an empty Python.

    python benchmarks/startup.py

Every command is started in turn, so that what else the machine does falls on all alike.
"""

import os
import statistics
import subprocess
import sys
import time

ROUNDS = 15
COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "rgbdsod --help": ["-m", "rgbdsod", "--help"],
    "rgbdsod list": ["-m", "rgbdsod", "list"],
    "rgbdsod attack --help": ["-m", "rgbdsod", "attack", "--help"],
}


def seconds(arguments: list[str]) -> tuple[float, float]:
    """Wall and processor seconds of one start."""
    before, wall = os.times(), time.perf_counter()
    subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
    after = os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return time.perf_counter() - wall, spent


def main() -> None:
    measured: dict[str, list[tuple[float, float]]] = {name: [] for name in COMMANDS}
    for _ in range(ROUNDS):
        for name, arguments in COMMANDS.items():
            measured[name].append(seconds(arguments))
    print(f"{'':24}{'wall: median':>14}{'least':>8}{'processor: median':>20}   seconds, {ROUNDS} rounds")
    for name, times in measured.items():
        wall, spent = zip(*times, strict=True)
        print(f"{name:24}{statistics.median(wall):14.3f}{min(wall):8.3f}{statistics.median(spent):20.3f}")


if __name__ == "__main__":
    main()
