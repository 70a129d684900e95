"""`rgbdsod.toml`: what a folder of images says about itself."""

import re
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

from rgbdsod.datasets.depth import DepthConvention
from rgbdsod.datasets.hha.camera import Matrix, pinhole
from rgbdsod.errors import DataError, UsageError
from rgbdsod.foreign.documents import read_toml
from rgbdsod.foreign.files import reason, shown

FILE = "rgbdsod.toml"

_FIELDS = ("name", "near", "depth_range", "depth_unit", "salient", "group", "camera", "licence", "source")
_NUMBERS = ("depth_range", "camera")

_OF_A_CAMERA = 4

_LITERAL = re.compile(r"\\.|\[\^?\]?[^\]]*\]")  # escapes and sets, which count as one letter
_REPEATED_GROUP, _REPEAT = re.compile(r"\)[*+{]"), re.compile(r"[*+{]")
_REPEATS = 2  # of a search in an id; each more multiplies its time by the length of the id


@dataclass(frozen=True, eq=False)
class FolderSettings:
    """The fields of `rgbdsod.toml`, all optional.

    Attributes:
        name: of the data set.
        convention: of its depth files, from `near`, `depth_range` and `depth_unit`.
        salient: "nearer" or "farther" than the surroundings, or "either"; what the check of the convention expects.
        group: regular expression whose first group, found in an id, names what images have in common, such as a film.
        camera: (3,3) pinhole matrix of its images, for pixel numbers that begin at 1.
        licence: of the images.
        source: of the images.
    """

    name: str | None = None
    convention: DepthConvention | None = None
    salient: str = "nearer"
    group: re.Pattern[str] | None = None
    camera: Matrix | None = None
    licence: str = ""
    source: str = ""

    def group_of(self, name: str) -> str | None:
        """The group of an id."""
        found = self.group.search(name) if self.group else None
        return found.group(1) if found else None


def read_settings(*folders: Path) -> FolderSettings:
    """The settings of the first of these folders that has some.

    Raises:
        DataError: the file is no TOML or has a field or value that means nothing.
    """
    path = next((folder / FILE for folder in folders if (folder / FILE).is_file()), None)
    if path is None:
        return FolderSettings()
    try:
        fields = read_toml(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is no TOML file: {reason(error)}") from error
    unknown = sorted(set(fields) - set(_FIELDS))
    if unknown:
        raise DataError(f"{path} has an unknown field {shown(unknown[0])}; it may have {', '.join(_FIELDS)}")
    try:
        return _settings(fields)
    except (UsageError, re.error, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise DataError(f"{path}: {reason(error)}") from error


def _settings(fields: dict[str, Any]) -> FolderSettings:
    for name, value in fields.items():
        if name not in _NUMBERS and not isinstance(value, str):
            raise TypeError(f"{name} is {value!r}; expected text in quotes")
    limits = fields.get("depth_range")
    if isinstance(limits, list):
        low, high = limits
        limits = (float(low), float(high))
    unit = fields.get("depth_unit", "relative")
    salient = fields.get("salient", "nearer")
    if salient not in ("nearer", "farther", "either"):
        raise ValueError(f'salient is "{salient}"; expected "nearer", "farther" or "either"')
    group = re.compile(fields["group"]) if "group" in fields else None
    if group is not None:
        _check_group(group)
    return FolderSettings(
        name=fields.get("name"),
        convention=DepthConvention(fields.get("near", "dark" if unit == "mm" else "bright"), limits, unit),
        salient=salient,
        group=group,
        camera=_camera(fields["camera"]) if "camera" in fields else None,
        licence=fields.get("licence", ""),
        source=fields.get("source", ""),
    )


def _check_group(group: re.Pattern[str]) -> None:
    """Refuse what finds nothing, and what may search an id for hours."""
    if group.groups < 1:
        raise ValueError(f'group is "{group.pattern}"; expected a regular expression with a (group)')
    letters = _LITERAL.sub("x", group.pattern)
    repeats = _REPEATS + letters.startswith("^")
    if _REPEATED_GROUP.search(letters) or len(_REPEAT.findall(letters)) > repeats:
        raise ValueError(f'group is "{group.pattern}"; write it without repeated groups, and at most {repeats} repeats')


def _camera(numbers: Any) -> Matrix:
    """The matrix of [fx, fy, cx, cy]."""
    known = isinstance(numbers, list) and len(numbers) == _OF_A_CAMERA
    if not (known and all(isinstance(number, (int, float)) and 0 < number < inf for number in numbers)):
        raise ValueError(f"camera is {numbers!r}; expected [fx, fy, cx, cy] in pixels, all above 0")
    return pinhole(*map(float, numbers))
