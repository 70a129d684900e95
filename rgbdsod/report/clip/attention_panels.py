"""Panels of an image's attention maps: each map in colours over the grey image that it is of."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from rgbdsod.foreign.pictures import read_picture
from rgbdsod.report import panels
from rgbdsod.report.encode import data_uri
from rgbdsod.report.panels import Bytes
from rgbdsod.report.view import Panel

COLOURS = "magma"
_SHARE = 0.6  # of the colours, over the picture below
_SIDE = 256
_GREY = (0.299, 0.587, 0.114)

_MAPS = (
    ("clean", "image", "original, clean"),
    ("attacked", "adversarial", "original, attacked"),
    ("repaired", "repaired_adversarial", "repaired, attacked"),
)
_ADVERSARIAL = (
    ("adversarial", "attacked", "adversarial"),
    ("repaired_adversarial", "repaired", "adversarial to the repaired"),
)


@dataclass
class AttentionPanels:
    """Makes panels, and remembers which stored files hold no picture.

    Args:
        page: where the page will lie; links to stored files are relative to it.
    """

    page: Path
    broken: list[str] = field(default_factory=list)

    def panels(self, row: Mapping[str, Any], kind: str, files: Mapping[str, Path]) -> tuple[Panel, ...]:
        """The image, its maps of one kind, and its adversarial versions, in reading order.

        Args:
            row: what is known of the image.
            kind: "text", "vision" or "gradcam".
            files: stored pictures by name.
        """
        stored = {name: image for name, path in files.items() if (image := self._read(path)) is not None}
        return tuple(
            Panel(
                kind=f"{kind}-{name}",
                label=label,
                alt=f"{label}, {row['id']}",
                uri=data_uri(picture, "photo", _SIDE),
                width=picture.shape[1],
                height=picture.shape[0],
                file=self._link(files[name]),
                sharp=max(picture.shape) < _SIDE / 2,
            )
            for name, label, picture in _pictures(row, kind, stored)
        )

    def _read(self, path: Path) -> Bytes | None:
        """(H, W) or (H, W, 3) in RGB order; None for a file that holds no such picture."""
        image = read_picture(path)
        if image is None or image.dtype != np.uint8 or (image.ndim == 3 and image.shape[2] != 3):
            self.broken.append(f"{path.parent.name}/{path.name}")
            return None
        return np.asarray(image[..., ::-1] if image.ndim == 3 else image)

    def _link(self, path: Path) -> str:
        return quote(Path(os.path.relpath(path, self.page.parent)).as_posix())


def _pictures(row: Mapping[str, Any], kind: str, stored: Mapping[str, Bytes]) -> Iterator[tuple[str, str, Bytes]]:
    """Name, label and pixels of each panel."""
    if "image" in stored:
        yield "image", f"image: {_answer(row, 'clean')}", stored["image"]
    for view, below, label in _MAPS:
        name = f"{kind}_{view}"
        if name in stored and below in stored:
            far = "" if view == "clean" else f": {row[f'{name}_l2']:.0f}"
            yield name, f"{label}{far}", overlay(stored[name], stored[below])
    for name, view, label in _ADVERSARIAL:
        if name in stored:
            yield name, f"{label}: {_answer(row, view)}", stored[name]


def overlay(attention: Bytes, image: Bytes) -> Bytes:
    """A map in colours over the grey image, which is enlarged to it pixel by pixel.

    Args:
        attention: (H, W), 8 bit; 0 is dark, 255 bright.
        image: (h, w, 3), 8 bit.
    """
    import cv2

    height, width = attention.shape
    grey = (image @ np.array(_GREY)).astype(np.float64) / 255
    grey = cv2.resize(grey, (width, height), interpolation=cv2.INTER_NEAREST)
    colours = panels.depth_colours(attention / 255, COLOURS) / 255
    return panels.grey(_SHARE * colours + (1 - _SHARE) * grey[..., None])


def _answer(row: Mapping[str, Any], view: str) -> str:
    """What the image is taken for, and how sure the model is."""
    return f"{row[f'{view}_class']} {row[f'{view}_score']:.0%}"
