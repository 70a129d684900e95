"""Folders of images for tests of the command line."""

from pathlib import Path

from run_models import scenes

from rgbdsod.datasets import write_depth, write_map, write_rgb


def copy_scenes(folder: Path, count: int) -> None:
    """Write scenes as a folder of RGB, depth and masks, named 0, 1, ..."""
    for role in ("RGB", "depth", "GT"):
        (folder / role).mkdir(parents=True)
    for number, sample in enumerate(scenes(count)):
        write_rgb(folder / "RGB" / f"{number}.png", sample.rgb)
        write_depth(folder / "depth" / f"{number}.png", sample.depth, 255)
        write_map(folder / "GT" / f"{number}.png", sample.mask)
    (folder / "rgbdsod.toml").write_text('salient = "either"\n')
