"""One patch for all pictures, made before."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from rgbdsod.attacks.patch.patch import Patch
from rgbdsod.datasets import Sample
from rgbdsod.run.patch.laying import Laid
from rgbdsod.run.patch.settings import PatchSettings
from rgbdsod.run.patch.source import Tell, laid_by, write_patch_to
from rgbdsod.run.store import Store


@dataclass(eq=False)
class Given:
    """One patch for all pictures, made before.

    Args:
        patch: what is laid.
        chosen: where, and how large.
        file: its name, for the record.
        sha256: of its tensors.
    """

    patch: Patch
    chosen: PatchSettings
    file: str
    sha256: str

    @property
    def several(self) -> bool:
        """There is one patch."""
        return False

    @property
    def columns(self) -> tuple[str, ...]:
        """Nothing was sought for a picture."""
        return ()

    def begin(self, store: Store, batch: int | None, tell: Tell) -> None:
        """A copy of the patch for the run's folder."""
        write_patch_to(store, "", self.patch)

    def laid(self, samples: Sequence[Sample], objects: Tensor) -> list[Laid | None]:
        """The same on each, at its own place."""
        return laid_by(self.patch, self.chosen, samples, objects)

    def borrowed(self, sample_id: str) -> Patch | None:
        """None: it is the only one."""
        return None

    def settings(self) -> dict[str, Any]:
        """Which patch, and how it is laid; the rest is in its file."""
        known = self.chosen.record()
        own = {name: known[name] for name in ("size", "where", "at", "depth_kind", "goal", "seed")}
        return {"patch": self.file, "patch_sha256": self.sha256, **own}

    def facts(self) -> dict[str, Any]:
        """What it was made for."""
        known = self.patch.facts
        return {"per": "file", "patch": self.file, "sha256": self.sha256} | {
            f"made_{name}": known.get(name) for name in ("model", "data", "image")
        }
