"""Where the patches of a run come from."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor

from rgbdsod.attacks.patch.patch import Patch
from rgbdsod.datasets import Sample
from rgbdsod.errors import UsageError
from rgbdsod.run.patch.laying import Laid, lay
from rgbdsod.run.patch.settings import PatchSettings
from rgbdsod.run.store import DiskStore, Store

Tell = Callable[[float, float], None]
"""Called with (done, in all) while patches are made."""

STATE = "checkpoints"
"""The folder of what is not finished, which a run that begins anew forgets."""


class Source(Protocol):
    """What gives each picture its patch."""

    @property
    def several(self) -> bool:
        """Whether there are patches of other pictures; known once `begin` is done."""
        ...

    @property
    def columns(self) -> tuple[str, ...]:
        """What it tells of each picture."""
        ...

    def begin(self, store: Store, batch: int | None, tell: Tell) -> None:
        """Make what is not there yet."""
        ...

    def laid(self, samples: Sequence[Sample], objects: Tensor) -> list[Laid | None]:
        """A patch at its place on each picture, bool `objects` (B,1,H,W) known; None where there is no place."""
        ...

    def borrowed(self, sample_id: str) -> Patch | None:
        """The patch of another picture; None where there is none."""
        ...

    def settings(self) -> dict[str, Any]:
        """What the numbers depend on beside model and data."""
        ...

    def facts(self) -> dict[str, Any]:
        """Where the patch comes from, for metrics.json."""
        ...


def laid_by(patch: Patch, chosen: PatchSettings, samples: Sequence[Sample], objects: Tensor) -> list[Laid | None]:
    """One patch on pictures of a size, placed as the settings say."""
    ids = [sample.id for sample in samples]
    return lay(patch, ids, samples[0].size, objects, chosen.placement, chosen.size, chosen.shape, chosen.seed)


def write_patch_to(store: Store, folder: str, patch: Patch) -> None:
    """A patch's files in a folder of a store."""
    for name, content in patch.files().items():
        store.write(f"{folder}/{name}".lstrip("/"), content)


def stored_patch(store: Store, folder: str) -> Patch:
    """A patch that a run wrote before it was interrupted."""
    if not isinstance(store, DiskStore):
        raise UsageError("this run was kept in memory and is gone; make it again")
    return Patch.load(Path(store.path, folder))
