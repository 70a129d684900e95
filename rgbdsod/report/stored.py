"""From an image's stored pictures to the panels of its card."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from rgbdsod.foreign.pictures import read_picture
from rgbdsod.report import panels
from rgbdsod.report.encode import Content, data_uri
from rgbdsod.report.panels import Bytes
from rgbdsod.report.view import Panel
from rgbdsod.report.wording import INPUTS

Stored = NDArray[np.unsignedinteger[Any]]


@dataclass
class PanelMaker:
    """Makes panels, and remembers what a reader must be told about them.

    Args:
        page: where the page will lie; links to stored files are relative to it.
        attacked: inputs that the attack could change.
        gain: factor on differences.
        side: longer side of an embedded picture, in pixels.

    Attributes:
        broken: stored files that hold no picture, as "id/name.png".
        cut: largest share of an image's values that change by more than a difference can show.
    """

    page: Path
    attacked: Sequence[str]
    gain: float
    side: int
    broken: list[str] = field(default_factory=list)
    cut: float = 0.0

    def panels(self, sample_id: str, files: Mapping[str, Path]) -> tuple[Panel, ...]:
        """Panels of one image in reading order: inputs, what the attack made of them, mask, maps.

        Args:
            sample_id: for the texts.
            files: stored pictures by name: "rgb", "adv_rgb", "clean_map", ...
        """
        stored = {kind: image for kind, path in files.items() if (image := self._read(path)) is not None}
        return tuple(
            Panel(
                kind=kind,
                label=label,
                alt=f"{label} of image {sample_id}",
                uri=uri,
                width=picture.shape[1],
                height=picture.shape[0],
                file=self._link(files.get(kind)),
                sharp=content == "difference",
            )
            for kind, label, picture, content in self._pictures(stored)
            for uri in [data_uri(picture, content, self.side)]
        )

    def _pictures(self, stored: Mapping[str, Stored]) -> Iterator[tuple[str, str, Bytes, Content]]:
        """Name, label and pixels at the stored size."""
        for kind in INPUTS:
            if kind in stored:
                yield kind, INPUTS[kind], _coloured(stored[kind]), "photo"
        for kind in self.attacked:
            yield from self._attacked(kind, stored.get(kind), stored.get(f"adv_{kind}"))
        clean_label = "clean map" if "attacked_map" in stored else "map"
        for kind, label in (("mask", "mask"), ("clean_map", clean_label), ("attacked_map", "attacked map")):
            if kind in stored:
                yield kind, label, _grey(stored[kind]), "map"

    def _attacked(
        self, kind: str, clean: Stored | None, after: Stored | None
    ) -> Iterator[tuple[str, str, Bytes, Content]]:
        """An adversarial input, and how it differs from the clean one."""
        if after is None:
            return
        name = INPUTS.get(kind, kind)
        yield f"adv_{kind}", f"adversarial {name}", _coloured(after), "photo"
        if clean is None or clean.shape != after.shape:
            return
        pair = panels.unit(after), panels.unit(clean)
        self.cut = max(self.cut, panels.cut_share(*pair, self.gain))
        label = f"difference \N{MULTIPLICATION SIGN}{self.gain:g}"
        label = f"{name} {label}" if len(self.attacked) > 1 else label
        yield f"diff_{kind}", label, panels.difference(*pair, self.gain), "difference"

    def _read(self, path: Path) -> Stored | None:
        """(H, W) or (H, W, 3) in RGB order, 8 or 16 bit; None for a file that holds no such picture."""
        image = read_picture(path)
        if image is None or image.dtype not in (np.uint8, np.uint16) or (image.ndim == 3 and image.shape[2] != 3):
            self.broken.append(f"{path.parent.name}/{path.name}")
            return None
        return np.asarray(image[..., ::-1] if image.ndim == 3 else image)

    def _link(self, path: Path | None) -> str:
        return "" if path is None else quote(Path(os.path.relpath(path, self.page.parent)).as_posix())


def _coloured(image: Stored) -> Bytes:
    """A photograph as it is, a depth map in colours."""
    return panels.grey(panels.unit(image)) if image.ndim == 3 else panels.depth_colours(panels.unit(image))


def _grey(image: Stored) -> Bytes:
    values = panels.unit(image)
    return panels.grey(values if values.ndim == 2 else values.mean(axis=2))
