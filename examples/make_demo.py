"""Make the real half of the built-in demo set, and its training part, from the stereo pothole data set.

    python examples/make_demo.py FOLDER

FOLDER holds RGB, depth (16-bit disparity, near = bright, 0 = missing) and GT at a quarter of the original size, as
made from github.com/ruirangerfan/stereo_pothole_datasets, and its LICENSE.txt. Nothing here is random: the images are
cut out around the pothole, RGB is averaged, depth and mask are sampled, so that no value is invented.
"""

import shutil
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer
from numpy.typing import NDArray
from PIL import Image

import rgbdsod
from rgbdsod.datasets import load_dataset, read_mask, read_rgb
from rgbdsod.datasets.images import read_raw_depth

# Clear ones, and no two of one hole.
TEST = "d1_01 d2_05 d2_10 d2_16 d2_19 d2_25 d2_28 d2_30 d2_33 d2_38 d2_40 d3_02"
# Other holes than those above, as far as the eye tells.
TRAINING = "d1_10 d1_11 d1_12 d1_14 d1_15 d1_17 d1_18 d1_20 d1_21 d1_22 d2_06 d2_08 d2_13 d2_15 d2_22 d2_23 d2_35 d2_36"
PARTS = {"demo": TEST.split(), "potholes": TRAINING.split()}
NAMES = {"demo": "demo:real", "potholes": "demo:train"}
SIZE = (128, 208)
MARGIN = 1.3  # the window is at least this much larger than the pothole

SETTINGS = """name = "{name}"
near = "bright"
salient = "farther"
licence = "MIT"
source = "github.com/ruirangerfan/stereo_pothole_datasets @ a6cc8e7354da4503b0ee03d15058df131a645195"
"""

README = """# {name}

{count} road potholes from the stereo pothole data set (R. Fan, U. Ozgunalp, B. Hosking, M. Liu, I. Pitas,
"Pothole Detection Based on Disparity Transformation and Road Surface Modeling", IEEE T-IP 2019), MIT licence
(`LICENSE.txt`), github.com/ruirangerfan/stereo_pothole_datasets at commit a6cc8e7354da4503b0ee03d15058df131a645195.

- `RGB`: {width} x {height} PNG, cut out around the pothole and averaged down.
- `depth`: 16-bit PNG, transformed disparity in relative units: the road is flat and bright, the pothole dark, since it
  lies deeper; 0 = missing. Sampled, not averaged.
- `GT`: PNG, 0 and 255.

`demo:real` is for tests, `demo:train` for training the built-in networks; they show different holes.
Made by `python examples/make_demo.py FOLDER` (no random numbers).
Fingerprint of `load_dataset("{name}")`: {fingerprint}
"""


def window(mask: NDArray[np.uint8]) -> tuple[slice, slice]:
    """Rows and columns of a window of the demo's shape that holds the whole pothole."""
    rows, cols = np.nonzero(mask > 128)
    height, width = np.ptp(rows) + 1, np.ptp(cols) + 1
    wide = max(SIZE[1], MARGIN * width, MARGIN * height * SIZE[1] / SIZE[0])
    wide = int(min(wide, mask.shape[1], mask.shape[0] * SIZE[1] / SIZE[0]))
    high = wide * SIZE[0] // SIZE[1]
    spans = []
    for places, length, limit in ((rows, high, mask.shape[0]), (cols, wide, mask.shape[1])):
        start = int(np.clip((places.min() + places.max() - length) // 2, 0, limit - length))
        spans.append(slice(start, start + length))
    return spans[0], spans[1]


def convert(source: Path, out: Path, name: str) -> None:
    """Cut out, resize and write one sample."""
    mask = read_mask(source / "GT" / f"{name}.png")
    place = window(mask)
    arrays = {
        "RGB": (read_rgb(source / "RGB" / f"{name}.jpg"), cv2.INTER_AREA),
        "depth": (read_raw_depth(source / "depth" / f"{name}.png"), cv2.INTER_NEAREST),
        "GT": (mask, cv2.INTER_NEAREST),
    }
    for folder, (array, how) in arrays.items():
        (out / folder).mkdir(parents=True, exist_ok=True)
        resized = cv2.resize(np.ascontiguousarray(array[place]), SIZE[::-1], interpolation=how)
        Image.fromarray(resized).save(out / folder / f"pothole-{name}.png", optimize=True)


def main(
    source: Annotated[Path, typer.Argument(help="folder with RGB, depth and GT")],
    out: Annotated[Path, typer.Option(help="where the folders go")] = Path(rgbdsod.datasets.__file__).parent / "assets",
) -> None:
    """Write both folders."""
    for part, names in PARTS.items():
        folder = out / part
        for name in names:
            convert(source, folder, name)
        shutil.copyfile(source / "LICENSE.txt", folder / "LICENSE.txt")
        (folder / "rgbdsod.toml").write_text(SETTINGS.format(name=NAMES[part]), encoding="utf-8")
        made = load_dataset(folder)
        facts = {"name": NAMES[part], "count": len(made), "height": SIZE[0], "width": SIZE[1]}
        text = README.format(**facts, fingerprint=made.fingerprint)
        (folder / "README.md").write_text(text, encoding="utf-8")
        typer.echo(f"{len(made)} images in {folder}, fingerprint {made.fingerprint}")


if __name__ == "__main__":
    typer.run(main)
