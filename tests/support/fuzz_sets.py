"""Readers of pictures and data sets."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets_archives
import numpy as np
from datasets_files import make_set
from fuzz_coco import COCO
from fuzz_files import array
from fuzz_images import encoded, picture
from fuzz_reader import (
    Corpus,
    Reader,
    arrays,
    documents,
    images,
    packed,
    plain,
    tables,
    weights,
    written,
)

from rgbdsod.datasets import load_dataset, load_image_set, read_camera, read_map, read_mask, read_rgb
from rgbdsod.datasets.images import read_header, read_raw_depth


def all_of(data: Any) -> Any:
    """Everything that a set says about itself."""
    return list(data), data.fingerprint, [data.size(at) for at in range(len(data))], repr(data)


# Pictures


def _raw(path: Path) -> object:
    return read_header(path), read_raw_depth(path)


def _decoded(path: Path) -> object:
    from rgbdsod.datasets.depth import DepthConvention, decode

    raw = read_raw_depth(path)
    found = [decode(raw, DepthConvention(value_range=limits)).depth for limits in (None, "full", (0.0, 5.0))]
    assert all(np.isfinite(depth).all() and depth.min() >= 0 and depth.max() <= 1 for depth in found)
    return found


def read_patch(path: Path) -> object:
    from rgbdsod.attacks.patch.patch import Patch

    return Patch.load(path)


def _stencil(path: Path) -> object:
    from rgbdsod.attacks.patch.stencil import stencil

    return stencil(str(path))


def _bank(path: Path) -> object:
    from rgbdsod.attacks.patch.natural.bank import read_photographs

    return read_photographs(str(path.parent), 4)


def _maps(path: Path) -> object:
    from rgbdsod.run.readymaps import MapFolder

    maps, data = MapFolder(path.parent / "GT"), load_dataset(path.parent, check=False)
    maps.prepare(data)
    return maps.maps(list(data)), maps.record()


_PNG, _GREY = encoded(picture()), encoded(picture("L"))
PICTURES = [
    Reader(name, written("a.png", _GREY if name.startswith("depth") else _PNG), read, images)
    for name, read in {
        "rgb": read_rgb,
        "map": read_map,
        "mask": read_mask,
        "header": read_header,
        "depth": _raw,
        "depth convention": _decoded,
        "patch picture": read_patch,
        "stencil": _stencil,
        "photographs": _bank,
    }.items()
] + [
    Reader("depth array", written("a.npy", array(np.zeros((4, 4), np.float32))), _raw, arrays),
    Reader("depth array, decoded", written("a.npy", array(np.zeros((4, 4), np.float32))), _decoded, arrays),
]


# Data sets


def _set(replaced: str) -> Callable[[Path], Path]:
    return lambda folder: make_set(folder, ("1", "2")) / replaced


def _opened(path: Path) -> object:
    return all_of(load_dataset(path.parent.parent if path.parent.name in ("RGB", "depth", "GT") else path.parent))


def _listed(folder: Path) -> Path:
    path = make_set(folder, ("1", "2")) / "test.lst"
    path.write_text("".join(f"RGB/{name}.jpg depth/{name}.png GT/{name}.png\n" for name in "12"))
    return path


def _settings(folder: Path) -> Path:
    path = make_set(folder, ("1", "2")) / "rgbdsod.toml"
    path.write_text('name = "x"\nnear = "dark"\ndepth_range = [1, 200]\ncamera = [9.5, 9.5, 8, 8]\ngroup = "(.)"\n')
    return path


def _settings_corpus(valid: bytes, canary: Path) -> Corpus:
    lines = (
        "name = 1",
        "near = 'x'",
        "depth_range = []",
        "depth_range = [nan, inf]",
        "depth_range = [1e308, 1]",
        "depth_range = ['a', 'b']",
        "depth_range = [true, false]",
        f"depth_range = [0, {'9' * 4000}]",
        "depth_range = 'full'",
        "depth_range = {}",
        "depth_range = [1, 2, 3]",
        "depth_unit = 'mm'",
        "camera = 1",
        "camera = [1, 2, 3, 1e400]",
        "camera = [true, true, true, true]",
        f"camera = [1, 1, 1, {'9' * 4000}]",
        "camera = [1e-320, 1e308, 1, 1]",
        "group = '('",
        "group = 'a'",
        "group = '(a+)+$'",
        "group = '((((a)))){9999}'",
        "group = '(a{1000}){1000}'",
        "name = '\\u001b[31m<script>'",
        'name = "\\u0000"',
        "salient = 'x'",
    )
    return tables(valid, canary) | {line[:60]: line.encode() for line in lines}


def _camera(folder: Path) -> Path:
    path = folder / "camera.json"
    path.write_text(json.dumps({"intrinsic_matrix": [500, 0, 0, 0, 500, 0, 320, 240, 1], "height": 480, "width": 640}))
    return path


def _archive(name: str, replaced: str, **options: Any) -> Callable[[Path], Path]:
    def prepare(folder: Path) -> Path:
        getattr(datasets_archives, name)(folder, **options)
        return folder / replaced

    return prepare


def _zero_shot(name: str, levels: int) -> Callable[[Path], object]:
    return lambda path: all_of(load_image_set(name, path.parents[levels]))


def _npz(folder: Path) -> Path:
    path = folder / "a.npz"
    np.savez_compressed(path, x_test=np.zeros((2, 8, 8, 3), np.uint8), y_test=[0, 1], class_names=["a", "b"])
    return path


def _cameras(kind: str, content: bytes, corpus: Any) -> Reader:
    return Reader(f"camera, {kind}", written(f"camera.{kind}", content), read_camera, corpus)


SETS = [
    *(Reader(f"set, {file}", _set(file), _opened, images) for file in ("RGB/1.jpg", "depth/1.png", "GT/1.png")),
    Reader("set, ready maps", _set("GT/1.png"), lambda path: _maps(path.parent), images),
    Reader("set, list", _listed, lambda path: all_of(load_dataset(path)), plain),
    Reader("set, rgbdsod.toml", _settings, _opened, _settings_corpus),
    Reader("camera, json", _camera, read_camera, documents),
    _cameras("npy", array(np.eye(3)), arrays),
    _cameras("txt", b"500 500 320 240", plain),
    *COCO,
    *(
        Reader(f"image set, npz, {key}", _npz, lambda path: all_of(load_image_set(path)), packed(f"{key}.npy"))
        for key in ("x_test", "y_test", "class_names")
    ),
    Reader(
        "CIFAR-10, Python",
        _archive("cifar", "cifar-10-batches-py/test_batch", fine=False, version="python"),
        _zero_shot("cifar10", 1),
        weights,
    ),
    Reader(
        "CIFAR-10, binary",
        _archive("cifar", "cifar-10-batches-bin/test_batch.bin", fine=False, version="binary"),
        _zero_shot("cifar10", 1),
        plain,
    ),
    Reader("STL-10", _archive("stl10", "stl10_binary/test_X.bin"), _zero_shot("stl10", 1), plain),
    Reader("STL-10 names", _archive("stl10", "stl10_binary/class_names.txt"), _zero_shot("stl10", 1), plain),
    Reader("Food-101", _archive("food101", "food-101/meta/test.json"), _zero_shot("food101", 2), documents),
    Reader("Food-101 names", _archive("food101", "food-101/meta/classes.txt"), _zero_shot("food101", 2), plain),
    Reader("Pets", _archive("oxfordpets", "oxford-iiit-pet/annotations/test.txt"), _zero_shot("oxfordpets", 2), plain),
    Reader("Flowers", _archive("flowers102", "flowers-102/setid.mat"), _zero_shot("flowers102", 1), plain),
    Reader("Flowers labels", _archive("flowers102", "flowers-102/imagelabels.mat"), _zero_shot("flowers102", 1), plain),
    Reader("DTD", _archive("dtd", "dtd/labels/test1.txt"), _zero_shot("dtd", 2), plain),
    Reader("SUN397", _archive("sun397", "SUN397/ClassName.txt"), _zero_shot("sun397", 1), plain),
    Reader(
        "Tiny-ImageNet",
        _archive("tinyimagenet", "tiny-imagenet-200/val/val_annotations.txt"),
        _zero_shot("tinyimagenet", 2),
        plain,
    ),
    Reader(
        "Tiny-ImageNet words",
        _archive("tinyimagenet", "tiny-imagenet-200/words.txt"),
        _zero_shot("tinyimagenet", 1),
        plain,
    ),
]
