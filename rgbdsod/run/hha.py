"""A folder of depth maps as HHA images, with a record of how they were made."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rgbdsod.datasets import DepthConvention, DepthScale, Hha, encode_hha, pseudo_hha
from rgbdsod.datasets.depth import decode
from rgbdsod.datasets.hha.camera_file import Camera
from rgbdsod.datasets.hha.encode import MISSING, Missing
from rgbdsod.datasets.images import read_raw_depth
from rgbdsod.datasets.roles import DEPTH, is_noise
from rgbdsod.datasets.sensor import fill
from rgbdsod.datasets.write import write_rgb
from rgbdsod.errors import DataError, RgbdsodError, UsageError
from rgbdsod.run.store import DiskStore, writing

RECORD = "hha.json"

_MILLIMETRES = 1000.0
_USUAL = (0.2, 15.0)  # metres; the middle of a map outside of this points to another unit


@dataclass(frozen=True)
class HhaSettings:
    """How depth files become HHA.

    Args:
        camera: of all images; None: assumed, and the result is pseudo-HHA.
        per_metre: how many units of the files are a metre; None: 1000 in 16-bit files, 1 in floats.
        convention: what the values of relative depth mean; for pseudo-HHA.
        scale: what relative depth means in metres; for pseudo-HHA.
        raw: folder with the sensor's own maps, in which 0 is missing; None: 0 in the depth itself is.
        missing: as for `encode_hha`.
        estimate_gravity: for pseudo-HHA; metric HHA always does.
    """

    camera: Camera | None = None
    per_metre: float | None = None
    convention: DepthConvention = field(default_factory=DepthConvention)
    scale: DepthScale = field(default_factory=DepthScale)
    raw: Path | None = None
    missing: Missing = "reference"
    estimate_gravity: bool = False

    def __post_init__(self) -> None:
        if self.missing not in MISSING:
            raise UsageError(f"--missing {self.missing}: expected {', '.join(MISSING)}")
        if self.per_metre is not None and not self.per_metre > 0:
            raise UsageError(f"--per-metre {self.per_metre:g}: expected a number above 0, such as 1000 for millimetres")


def find_depth_files(source: Path, pattern: str = "*") -> list[Path]:
    """The depth files that a path means: itself, or those in it, or in the folder for depth in it.

    Raises:
        DataError: there are none.
    """
    if source.is_file():
        return [source]
    if not source.is_dir():
        raise DataError(f"there is no folder {source}; pass one with depth maps")
    inside = {child.name.lower(): child for child in source.iterdir() if child.is_dir()}
    folder = next((inside[name] for name in DEPTH.folders if name in inside), source)
    children = (child for child in folder.glob(pattern) if child.is_file() and not is_noise(child))
    files = sorted(child for child in children if DEPTH.reads(child))
    if not files:
        raise DataError(f"no depth maps in {folder} match {pattern} (looked for {', '.join(DEPTH.extensions)})")
    return files


def convert(
    files: list[Path],
    out: Path,
    settings: HhaSettings,
    callback: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """Write an HHA image for each depth file, as OUT/STEM.png (read as RGB: disparity, height, angle), and a record.

    Args:
        files: of depth.
        out: the folder; made if it is not there.
        settings: how.
        callback: called after each image with how many are done, of how many.

    Returns:
        The record, which is also in OUT/hha.json.

    Raises:
        DataError: a file cannot be encoded, or nothing can be written; the message names it.
        UsageError: the maps lie in `out`.
    """
    stems = [file.stem for file in files]
    if len(set(stems)) < len(stems):
        twice = next(stem for stem in stems if stems.count(stem) > 1)
        raise DataError(f"two depth maps are called {twice}; choose with --pattern, for example '*.png'")
    if out.resolve() in {file.parent.resolve() for file in files}:
        raise UsageError(f"--out {out} is the folder of the depth maps, which would be overwritten; name another")
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
    images = []
    for number, (file, found, nearest) in enumerate(_encoded(files, settings), 1):
        with writing(out):
            write_rgb(out / f"{file.stem}.png", found.image)
        images.append(_image(file, found, nearest))
        callback(number, len(files))
    record = {**_described(settings), "warnings": _warnings(images, settings), "out": str(out), "images": images}
    DiskStore(out).write(RECORD, f"{json.dumps(record, indent=1)}\n".encode())
    return record


def _encoded(files: list[Path], settings: HhaSettings) -> Iterator[tuple[Path, Hha, float]]:
    """Each file with its HHA and the middle of its distances in metres."""
    for file in files:
        raw = read_raw_depth(file)
        try:
            if settings.camera is None:
                yield file, *_pseudo(raw, _measured(file, settings), settings)
            else:
                yield file, *_metric(raw, _measured(file, settings), settings.camera, settings)
        except RgbdsodError as error:
            raise DataError(f"{file}: {error}") from error


def _metric(
    raw: NDArray[Any], measured: NDArray[np.bool_] | None, camera: Camera, settings: HhaSettings
) -> tuple[Hha, float]:
    if raw.dtype == np.uint8 and settings.per_metre is None:
        raise UsageError("8-bit depth has no unit; pass --per-metre if it has one, else --pseudo instead of --camera")
    metres = raw / (settings.per_metre or (1.0 if raw.dtype.kind == "f" else _MILLIMETRES))
    known = raw > 0
    if not known.any():
        raise DataError("every pixel is 0, which is missing; there is nothing to encode")
    filled = np.where(known, metres, fill(metres.astype(np.float32), known))
    valid = known if measured is None else known & measured
    matrix = camera.of_size((raw.shape[0], raw.shape[1]))
    return encode_hha(filled, matrix, valid=valid, missing=settings.missing), float(np.median(metres[known]))


def _pseudo(raw: NDArray[Any], measured: NDArray[np.bool_] | None, settings: HhaSettings) -> tuple[Hha, float]:
    found = decode(raw, settings.convention)
    valid = found.valid if measured is None else found.valid & measured
    image = pseudo_hha(
        found.depth,
        valid=valid,
        scale=settings.scale,
        estimate_gravity=settings.estimate_gravity,
        missing=settings.missing,
    )
    return image, float(np.median(settings.scale.metres(found.depth)))


def _measured(file: Path, settings: HhaSettings) -> NDArray[np.bool_] | None:
    """Where the sensor's own map of the same name has a value."""
    if settings.raw is None:
        return None
    candidates = [settings.raw / f"{file.stem}{suffix}" for suffix in (file.suffix, *DEPTH.extensions)]
    path = next((path for path in candidates if path.is_file()), None)
    if path is None:
        raise DataError(f"there is no {file.stem} in --raw {settings.raw}; give raw maps the names of the depth maps")
    valid: NDArray[np.bool_] = read_raw_depth(path) > 0
    return valid


def _image(file: Path, found: Hha, middle: float) -> dict[str, Any]:
    return {
        "id": file.stem,
        "gravity": [round(float(part), 6) for part in found.gravity],
        "floor": round(found.floor, 4),
        "valid": round(float(found.valid.mean()), 4),
        "middle": round(middle, 4),
    }


def _described(settings: HhaSettings) -> dict[str, Any]:
    """What another program needs to make the same images."""
    metric = settings.camera is not None
    return {
        "metric": metric,
        "channels": ["disparity", "height", "angle", *(["valid"] if settings.missing == "mask" else [])],
        "camera": settings.camera.matrix.tolist() if settings.camera else None,
        "per_metre": settings.per_metre if metric else None,
        "scale": None if metric else settings.scale.words,
        "convention": None if metric else settings.convention.words,
        "missing": settings.missing,
    }


def _warnings(images: list[dict[str, Any]], settings: HhaSettings) -> list[str]:
    odd = [image for image in images if not _USUAL[0] <= image["middle"] <= _USUAL[1]]
    if settings.camera is None or not odd:
        return []
    first = odd[0]
    return [
        f"the middle of the distances is unusual in {len(odd)} of {len(images)} images ({first['id']}: "
        f"{first['middle']:g} m); check --per-metre (1000: millimetres, 10000: tenths of them)"
    ]
