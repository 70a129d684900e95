"""`localise_patches`: where defences see patches in photographs of which it is known where the patches are."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from rgbdsod.defenses import PATCH_DEFENSES
from rgbdsod.errors import UsageError
from rgbdsod.run.execute import ImageCallback, Target, execute
from rgbdsod.run.patch_defense.averages import by_defense
from rgbdsod.run.patch_defense.choice import GuardChoice, PatchChoice, names_of
from rgbdsod.run.patch_defense.lineup import Entry, line_up
from rgbdsod.run.patch_defense.localise_result import LocaliseResult
from rgbdsod.run.patch_defense.photographs import Photographs
from rgbdsod.run.pieces import Piece
from rgbdsod.run.store import Store

LOCALISERS = ("lgs", "jedi", "pad-lite")
"""What is measured where nobody says."""

FOUND = 0.5
"""Overlap from which on a patch counts as found."""

CALIBRATION_IMAGES = 32


@dataclass(eq=False)
class LocaliseTask:
    """Ask every localiser where it sees a patch.

    Args:
        data: photographs with masks.
        clean: images that set thresholds; None: the papers' thresholds alone.
        choice: the defences.
        device: where they run.
        given: how the data were named, for config.toml.
    """

    data: Photographs
    clean: Photographs | None
    choice: GuardChoice
    device: torch.device
    given: Mapping[str, Any] = field(default_factory=dict)
    command: str = "patch evaluate"
    _entries: list[Entry] = field(default_factory=list)

    @property
    def title(self) -> str:
        """The photographs."""
        return f"localise-{self.data.name}"

    @property
    def modules(self) -> tuple[nn.Module, ...]:
        """Nothing is held."""
        return ()

    def settings(self) -> dict[str, Any]:
        """All that the numbers depend on."""
        names = ",".join(self.choice.defenses)
        own = {"defense": names, "thresholds": self.choice.thresholds, "share": self.choice.share}
        return {**self.given, **own}

    def record(self) -> dict[str, Any]:
        """Entries of run.json; there is no model."""
        found = {"model": {"name": "none", "sha256": None, "note": None}, "data": self.data.record(), "seed": 0}
        return found | ({} if self.clean is None else {"calibration": self.clean.record()})

    def begin(self, store: Store) -> None:
        """Set the thresholds."""
        clean = None
        if self.clean is not None:
            sizes = self.clean.sizes()
            alike = [at for at, size in enumerate(sizes) if size == sizes[0]]
            clean = {"image": self.clean.pictures(alike[:CALIBRATION_IMAGES]).to(self.device)}
        self._entries = line_up(self.choice, clean)

    def compute(self, part: list[int], store: Store, advance: Callable[[float], None]) -> Piece:
        """Masks of images of one size."""
        images, truth = self.data.pictures(part).to(self.device), self.data.masks(part).to(self.device)
        ids, rows = [self.data.ids[at] for at in part], []
        for entry in self._entries:
            begin = time.perf_counter()
            with torch.no_grad():
                mask = entry.purifier({"image": images}).mask >= 0.5
            seconds = (time.perf_counter() - begin) / len(ids)
            for row, sample in enumerate(ids):
                rows.append({"id": sample, "row": entry.label, "defense": entry.name, "thresholds": entry.thresholds,
                             **_pixels(mask[row], truth[row]), "seconds": seconds})  # fmt: skip
        return Piece(ids, rows)

    def metrics(self, merged: Piece) -> dict[str, Any]:
        """A row for each defence."""
        found = [_defense(label, own) for label, own in by_defense(merged.rows)]
        clean = None if self.clean is None else self.clean.name
        return {"localisers": found, "calibration": clean, "found_from": FOUND}


def localise_patches(
    folder: str | Path,
    *,
    defenses: str | Sequence[str] = LOCALISERS,
    thresholds: str | None = None,
    calibration: str | Path | None = None,
    share: float = 0.01,
    n_samples: int | None = None,
    device: str = "auto",
    batch: int | None = None,
    out: str | Path | None = None,
    restart: bool = False,
    callback: ImageCallback | None = None,
) -> LocaliseResult:
    """Compare where defences see patches with where they are, in photographs.

    Args:
        folder: with images/ and masks/.
        defenses: names of localisers.
        thresholds: "paper", "calibrated" or "both"; None: the papers', and where there are clean images both.
        calibration: a folder of clean images that set thresholds.
        share: of the clean pixels that a calibrated localiser may mask.
        n_samples: the first so many photographs; None: all.
        device: where defences run.
        batch: images at once; None chooses.
        out: the run folder; None writes nothing.
        restart: begin anew in a folder that is there.
        callback: called with (images done, images in all).

    Returns:
        IoU of the masks, pooled and as a mean of images, recall, and how much else is masked, with `.summary()`.

    Raises:
        UsageError: names that are no localisers. DataError: images without masks.

    Example:
        >>> from rgbdsod.run import localise_patches
        >>> print(localise_patches("patched_images").summary())  # doctest: +SKIP
    """
    from rgbdsod.models.device import resolve_device

    task = localise_task(
        folder, defenses=names_of(defenses), thresholds=thresholds, calibration=calibration, share=share,
        n_samples=n_samples, device=resolve_device(device),
    )  # fmt: skip
    return run_localise(task, None if out is None else Target(out=out, restart=restart), batch, callback)


def localise_task(
    folder: str | Path,
    *,
    defenses: Sequence[str],
    thresholds: str | None,
    calibration: str | Path | None,
    share: float,
    n_samples: int | None,
    device: torch.device,
    given: Mapping[str, Any] | None = None,
) -> LocaliseTask:
    """Everything checked, nothing started; arguments as for `localise_patches`.

    Args:
        folder, defenses, thresholds, calibration, share, n_samples, device: see there.
        given: how a command line named the data; they are recorded so.
    """
    names = [name for name in defenses if PATCH_DEFENSES[name].kind != "reference"]
    wrong = [name for name in names if name not in localisers()]
    if wrong or not names:
        what = f"{wrong[0]} looks for no patch in one image" if wrong else "no localiser is named"
        raise UsageError(f"--localise: {what}; pass --defense with some of {', '.join(localisers())}")
    if calibration is None and thresholds in ("calibrated", "both"):
        raise UsageError(f"--thresholds {thresholds} needs clean images; pass --calibration FOLDER")
    if n_samples is not None and n_samples < 1:
        raise UsageError(f"--n-samples {n_samples} leaves no image; pass 1 or more")
    kind = thresholds or ("paper" if calibration is None else "both")
    own = GuardChoice(defenses=tuple(names), thresholds=kind, share=share, patch=PatchChoice(modality="image"))
    own.checked()  # refuses wrong numbers; without the references, which have nothing to find
    clean = None if calibration is None or kind == "paper" else Photographs(calibration, masks=False)
    named = {"localise": str(folder)} if given is None else dict(given)
    named |= {} if calibration is None else {"calibration": str(calibration)}
    return LocaliseTask(Photographs(folder, limit=n_samples), clean, own, device, named)


def run_localise(
    task: LocaliseTask,
    target: Target | None,
    batch: int | None = None,
    callback: ImageCallback | None = None,
    on_open: Callable[[], None] | None = None,
) -> LocaliseResult:
    """Run a task, or continue it, or read its results; arguments as for `rgbdsod.run.execute.execute`."""
    device = task.device
    return LocaliseResult(execute(task, target=target, device=device, batch=batch, callback=callback, on_open=on_open))


def localisers() -> list[str]:
    """Names of the defences that look for a patch in one image."""
    return [row.name for row in PATCH_DEFENSES if row.kind == "localiser" and not row.needs]


def _pixels(mask: torch.Tensor, truth: torch.Tensor) -> dict[str, int]:
    counts = {"both": mask & truth, "either": mask | truth, "patch": truth, "outside": mask & ~truth, "rest": ~truth}
    return {name: int(value.sum()) for name, value in counts.items()}


def _defense(label: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    total = {name: sum(row[name] for row in rows) for name in ("both", "either", "patch", "outside", "rest")}
    each = [row["both"] / max(row["either"], 1) for row in rows]
    return {
        "row": label,
        "defense": rows[0]["defense"],
        "thresholds": rows[0]["thresholds"] or None,
        "smiou": total["both"] / max(total["either"], 1),
        "nmiou": float(np.mean(each)),
        "recall": total["both"] / max(total["patch"], 1),
        "found": sum(iou >= FOUND for iou in each),
        "touched": sum(row["both"] > 0 for row in rows),
        "false": total["outside"] / max(total["rest"], 1),
    }
