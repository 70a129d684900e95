"""Labelled sets by name, joined into one list of images."""

from collections.abc import Hashable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from rgbdsod.datasets.glyph_words import TASKS
from rgbdsod.datasets.zero_shot.known import ZERO_SHOT_SETS, Prompts
from rgbdsod.datasets.zero_shot.labelled import ImageSet
from rgbdsod.datasets.zero_shot.load import load_image_set
from rgbdsod.errors import UsageError

GLYPH_TASKS = tuple(f"glyphs:{task.name}" for task in TASKS if not task.tuned)
"""The zero-shot tasks that need no data: the default of every command."""

TUNED_ON = frozenset({"tinyimagenet", *(f"glyphs:{task.name}" for task in TASKS if task.tuned)})
"""Sets that tuning uses; averages over zero-shot tasks leave them out."""


def open_sets(
    names: str | Path | Sequence[str | Path] = GLYPH_TASKS,
    *,
    root: str | Path | None = None,
    split: str | None = None,
    prompts: Prompts = "fixed",
    template: str | None = None,
    count: int | None = None,
    seed: int = 0,
) -> "ImageSets":
    """Open labelled sets; nothing is fetched.

    Args:
        names: one or more of "glyphs:TASK", folders of class folders, .npz files, names of known sets.
        root: the folder with the extracted archives of known sets.
        split: the part to measure; None: each set's own.
        prompts: of known sets, "fixed" or "as-released".
        template: one prompt for all sets, with {} for the class; None: each set's own.
        count: images of each set, as evenly over its classes as they allow; None: all.
        seed: of the choice of these.

    Raises:
        UsageError: unknown names, splits or prompts; two sets of one name. DataError: images that cannot be read.
    """
    wanted = [names] if isinstance(names, str | Path) else list(names)
    found = [load_image_set(name, root, split=split, prompts=prompts, template=template) for name in wanted]
    return ImageSets(found if count is None else [data.sample(count, seed) for data in found])


class ImageSets:
    """The images of several sets as one list; no batch mixes them.

    Args:
        sets: at least one, all with different names.

    Raises:
        UsageError: no set, or two of one name.
    """

    def __init__(self, sets: Sequence[ImageSet]) -> None:
        self.sets = tuple(sets)
        names = [data.name for data in self.sets]
        if not names:
            raise UsageError("no data; pass one set or more, for example --data glyphs:pairs")
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise UsageError(f'two sets are called "{twice}"; name each set once, and give folders different names')
        self._places = [(number, place) for number, data in enumerate(self.sets) for place in range(len(data))]

    def __len__(self) -> int:
        return len(self._places)

    @property
    def name(self) -> str:
        """All names."""
        return ",".join(data.name for data in self.sets)

    @property
    def ids(self) -> list[str]:
        """Set and id of each image."""
        return [f"{self.sets[number].name}/{self.sets[number].ids[place]}" for number, place in self._places]

    def sizes(self) -> Sequence[Hashable]:
        """The set of each image: images of one set become inputs of one size."""
        return [number for number, _ in self._places]

    def part(self, indices: Sequence[int]) -> tuple[ImageSet, list[int]]:
        """The set of some images, which all are of one, and their positions in it."""
        number = self._places[indices[0]][0]
        return self.sets[number], [self._places[index][1] for index in indices]

    @property
    def warnings(self) -> list[str]:
        """What is odd about the sets, one sentence each."""
        return [text for data in self.sets for text in data.warnings]

    def record(self) -> dict[str, Any]:
        """What run.json says about the data."""
        prints = [data.fingerprint for data in self.sets]
        return {
            "name": self.name,
            "images": len(self),
            "fingerprint": prints[0] if len(prints) == 1 else sha256("\n".join(prints).encode()).hexdigest(),
            "convention": None,
            "warnings": self.warnings,
            "sets": [
                {"name": data.name, "split": data.split, "classes": data.classes, "images": len(data)}
                for data in self.sets
            ],
        }


def is_whole_collection(names: Sequence[str]) -> bool:
    """Whether these are the sixteen usual sets."""
    return set(names) == set(ZERO_SHOT_SETS.names())
