"""The built-in set: real photographs of road potholes, and generated scenes."""

from pathlib import Path

from rgbdsod.datasets.dataset import Dataset, join
from rgbdsod.datasets.depth import DepthConvention
from rgbdsod.datasets.folder import Folder
from rgbdsod.datasets.layout import find_layout
from rgbdsod.datasets.matching import match
from rgbdsod.datasets.scenes import Scenes
from rgbdsod.datasets.settings import read_settings

TEST_SEED = 2**20
"""Scenes of this seed and above are for tests; nothing in this repository is trained on them."""

_ASSETS = Path(__file__).parent / "assets"
_SCENES = 12


def demo_real() -> Dataset:
    """12 potholes, 208 x 128, with stereo depth in 16 bit. MIT licence, see `assets/demo/README.md`."""
    return _folder("demo")


def demo_train() -> Dataset:
    """18 other potholes of the same source, on which the built-in networks are trained beside generated scenes."""
    return _folder("potholes")


def _folder(name: str) -> Dataset:
    layout = find_layout(_ASSETS / name)
    settings = read_settings(_ASSETS / name)
    return Folder(layout, match(layout), convention=settings.convention or DepthConvention(), settings=settings)


def demo_scenes() -> Dataset:
    """12 generated scenes, 128 x 128, of a seed that no network of this package was trained on."""
    scenes = Scenes(_SCENES, seed=TEST_SEED)
    scenes.name = "demo:scenes"
    return scenes


def demo() -> Dataset:
    """Both."""
    return join("demo", [demo_real(), demo_scenes()])
