"""What an ablation of stages found: cells, shares, a table, a document and files."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rgbdsod.run.definitions import better, key, title
from rgbdsod.run.folder import to_json
from rgbdsod.run.interventions.modes import WORDS
from rgbdsod.run.store import DiskStore
from rgbdsod.run.tables import align

MEASURED = ("sm", "fm_max", "mae", "iou_bin")
"""In the order of tables."""

MAIN = key("sm")
"""The measure that drops and shares are of."""


@dataclass(frozen=True)
class Change:
    """A mean change over the images.

    Args:
        mean: of a measure.
        low, high: ends of its 95 % interval; None for a measure of the whole data set, such as max F.
    """

    mean: float
    low: float | None
    high: float | None

    @property
    def text(self) -> str:
        """The mean, and the interval in brackets."""
        if self.low is None or self.high is None:
            return f"{self.mean:+.3f}"
        return f"{self.mean:+.3f} [{self.low:+.3f}, {self.high:+.3f}]"


@dataclass(frozen=True)
class StageCell:
    """A network in which one stream is replaced at one stage.

    Args:
        stage, stream, mode: what is replaced, where, and by what.
        clean: values of the data set by short name, benchmark protocol.
        change: of these from the intact network's, image by image.
        attacked: the same values under an attack that knows of the intervention; None without an attack.
        attacked_change: of these from the intact network's under the attack.
        fooled: how many images are, by the success rule.
    """

    stage: str
    stream: str
    mode: str
    clean: dict[str, float]
    change: dict[str, Change]
    attacked: dict[str, float] | None = None
    attacked_change: dict[str, Change] | None = None
    fooled: int | None = None


@dataclass(frozen=True)
class Share:
    """A share of a sum of drops, with its 95 % interval; None where nothing was lost.

    Args:
        value: of all images.
        low, high: ends of the interval.
    """

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Reliance:
    """How much of what is lost at a stage is lost with each stream.

    Args:
        stage, mode: where, and by what the stream is replaced.
        drop: of the S-measure, by the stream that is replaced.
        share: of each in the sum of the drops.
    """

    stage: str
    mode: str
    drop: dict[str, float]
    share: dict[str, Share]


@dataclass(frozen=True)
class Intact:
    """The network as it is.

    Args:
        clean, attacked, fooled: as for a `StageCell`.
    """

    clean: dict[str, float]
    attacked: dict[str, float] | None = None
    fooled: int | None = None


@dataclass(frozen=True)
class StagesResult:
    """What a network loses where one of its streams is replaced.

    Args:
        model: its name; fusion: where its modalities meet.
        data: the images' name; images: their number.
        seed: of the noise.
        attack: settings of the attack, as a run records them; None without one.
        stages: of the network, all of them, in the order of a pass.
        intact: the network as it is.
        cells: by stage, stream and mode.
        reliance: by stage and mode, where both streams were replaced.
        note: what to know before comparing the numbers; None if nothing.
    """

    model: str
    fusion: str
    data: str
    images: int
    seed: int
    attack: dict[str, Any] | None
    stages: list[str]
    intact: Intact
    cells: list[StageCell]
    reliance: list[Reliance]
    note: str | None

    def summary(self) -> str:
        """Two tables: what is lost at each place, and which stream's loss it is."""
        lines = align([self._head(), self._intact_row(), *(_row(cell) for cell in self.cells)])
        if self.reliance:
            lines += [
                "",
                f"share of each stream in what {title(MEASURED[0])} loses at a stage",
                *align(_share_rows(self.reliance)),
            ]
        modes = list(dict.fromkeys(cell.mode for cell in self.cells))
        lines += ["", *(f"{mode.ljust(6)}{WORDS[mode]}" for mode in modes)]
        lines.append(f"{self.images} images; changes are from the intact network, with their 95 % intervals")
        return "\n".join([*lines, *([self.note] if self.note else [])])

    def document(self) -> dict[str, Any]:
        """What `rgbdsod ablate --stage ... --json` prints."""
        return {"schema": "rgbdsod.stages/1"} | asdict(self)

    def save(self, folder: str | Path) -> Path:
        """Write stages.json and stages.csv, each whole or not at all; returns the folder."""
        store = DiskStore(Path(folder))
        store.write("stages.csv", _csv(self.cells, self.images))
        store.write("stages.json", to_json(self.document()))
        return store.path

    def _head(self) -> list[str]:
        main = title(MEASURED[0])
        titles = [f"{title(name)} {better(name)}" for name in MEASURED]
        attacked = [f"attacked {main}", "change", "fooled"] if self.attack else []
        return ["stage and stream", "by", titles[0], f"change of {main}", *titles[1:], *attacked]

    def _intact_row(self) -> list[str]:
        first, *others = (f"{self.intact.clean[key(name)]:.3f}" for name in MEASURED)
        found = ["intact", "", first, "", *others]
        if self.intact.attacked is not None:
            found += [f"{self.intact.attacked[MAIN]:.3f}", "", str(self.intact.fooled)]
        return found


def _row(cell: StageCell) -> list[str]:
    first, *others = (f"{cell.clean[key(name)]:.3f}" for name in MEASURED)
    found = [f"{cell.stage} {cell.stream}", cell.mode, first, cell.change[MAIN].text, *others]
    if cell.attacked is not None and cell.attacked_change is not None:
        found += [f"{cell.attacked[MAIN]:.3f}", cell.attacked_change[MAIN].text, str(cell.fooled)]
    return found


def _share_rows(reliance: Sequence[Reliance]) -> list[list[str]]:
    """A head, and a line for each stage and mode."""
    streams = list(reliance[0].share)
    return [
        ["stage", "by", *streams],
        *([each.stage, each.mode, *(_share_text(each.share[name]) for name in streams)] for each in reliance),
    ]


def _share_text(share: Share) -> str:
    if share.value is None:
        return "nothing lost"
    if share.low is None or share.high is None:
        return f"{share.value:.2f}"
    return f"{share.value:.2f} [{share.low:.2f}, {share.high:.2f}]"


def _csv(cells: Sequence[StageCell], images: int) -> bytes:
    """One line a cell."""
    text = io.StringIO()
    names = [key(name) for name in MEASURED]
    kinds = ("mean", "low", "high")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["stage", "stream", "mode", "images", *names]
        + [f"change_{name}_{kind}" for name in names for kind in kinds]
        + [f"attacked_{name}" for name in names]
        + [f"attacked_change_{name}_{kind}" for name in names for kind in kinds]
        + ["fooled"]
    )
    for cell in cells:
        numbers = [cell.clean.get(name) for name in names] + _spread(cell.change, names)
        numbers += [(cell.attacked or {}).get(name) for name in names] + _spread(cell.attacked_change or {}, names)
        writer.writerow([cell.stage, cell.stream, cell.mode, images, *numbers, cell.fooled])
    return text.getvalue().encode()


def _spread(changes: Mapping[str, Change], names: Sequence[str]) -> list[float | None]:
    """Mean and ends of the interval of each measure; an attack that was not made leaves them empty."""
    found: list[float | None] = []
    for name in names:
        change = changes.get(name)
        found += [None] * 3 if change is None else [change.mean, change.low, change.high]
    return found
