"""The sixteen data sets on which zero-shot robustness is usually measured, as rows read from data files.

None is shipped or fetched; a row says what a complete copy holds and how its classes are put into words.

Source: the evaluation of TeCoA (arXiv 2212.07016), which PMG-AFT (arXiv 2401.04350) and TGA-ZSR (arXiv 2410.21802) took
over; templates and names of the sets that have their own: Radford et al., CLIP, arXiv 2103.00020.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from rgbdsod.errors import UsageError
from rgbdsod.registry import Table

Prompts = Literal["fixed", "as-released"]
"""Whether slips of the released prompts are put right, or kept for comparison with published tables."""

_FILES = Path(__file__).parents[1] / "assets" / "zero_shot"


@dataclass(frozen=True)
class ZeroShotSet:
    """One data set.

    Attributes:
        name: what a user types.
        classes: how many.
        splits: images of each part, by name; the first is the one that is measured.
        template: the prompt, with {} for the class name.
        refine: whether names are made lower case and plain in prompts.
        source: where the class names come from.
        archive: the original files.
        bases: folders that they make.
        marker: what is looked for in such a folder.
        names: class names in label order, of sets whose files carry none or that are known by heart.
        names_as_released: likewise, with the slips of the released lists.
        folders: of the classes in label order, where these are not the names.
        fixed: names that replace others, by WordNet id, where one word names two classes.
    """

    name: str
    classes: int
    splits: Mapping[str, int]
    template: str
    refine: bool
    source: str
    archive: str
    bases: tuple[str, ...]
    marker: str
    names: tuple[str, ...] = ()
    names_as_released: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    fixed: Mapping[str, str] = field(default_factory=dict)

    @property
    def split(self) -> str:
        """The part that is measured."""
        return next(iter(self.splits))

    def shipped_names(self, prompts: Prompts = "fixed") -> tuple[str, ...]:
        """Class names that this package knows without the data; empty where only the data tell."""
        return self.names_as_released if prompts == "as-released" and self.names_as_released else self.names


def check_prompts(prompts: str) -> None:
    """Refuse a variant that does not exist.

    Raises:
        UsageError: there is no such variant.
    """
    if prompts not in get_args(Prompts):
        raise UsageError(f'no prompts "{prompts}"; use {" or ".join(get_args(Prompts))}')


def _row(path: Path) -> ZeroShotSet:
    facts: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    for key in ("bases", "names", "names_as_released", "folders"):
        facts[key] = tuple(facts.get(key, ()))
    return ZeroShotSet(path.stem, **facts)


ZERO_SHOT_SETS: Table[ZeroShotSet] = Table("zero-shot set", [_row(path) for path in sorted(_FILES.glob("*.toml"))])
