"""What a leaderboard measures, as data: fixed images, inputs, radii and attacks, and the built-in entries."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

from rgbdsod.attacks.budget import check_eps
from rgbdsod.errors import UsageError
from rgbdsod.foreign.documents import read_toml
from rgbdsod.foreign.files import reason
from rgbdsod.run.board.entry import Entry, entry_of
from rgbdsod.run.threats import parse_number

INPUTS: Mapping[str, tuple[str, ...]] = {"rgb": ("rgb",), "depth": ("depth",), "both": ("rgb", "depth")}
"""The inputs that are attacked, by the name of the modality."""

_FIELDS = ("data", "images", "modality", "eps", "settings", "entry")


@dataclass(frozen=True, kw_only=True)
class Board:
    """A leaderboard before anything is measured.

    Args:
        name: what a user types, or a file.
        summary: what it is for.
        data: a data set.
        images: how many of it, evenly chosen.
        modality: of `INPUTS`.
        eps: Linf radii, in units of the [0, 1] input.
        settings: of `rgbdsod.run.defend`: the attacks, and the clean images that set limits.
        entries: the built-in ones.
        version: of images, radii and attacks; None: a user's own, of which no result is an entry.
        fingerprint: of the images.
    """

    name: str
    summary: str = ""
    data: str
    images: int
    modality: tuple[str, ...] = tuple(INPUTS)
    eps: tuple[float, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    entries: tuple[Entry, ...] = ()
    version: int | None = None
    fingerprint: str | None = None

    def __post_init__(self) -> None:
        if not self.eps or not self.modality:
            raise UsageError("a leaderboard needs at least one modality and one radius, for example 4/255")
        for eps in self.eps:
            check_eps(eps, "linf")
        for name in self.modality:
            if name not in INPUTS:
                raise UsageError(f'modality "{name}"; expected {", ".join(INPUTS)}')
        if self.images < 1:
            raise UsageError(f"--images {self.images}: pass 1 or more")

    @property
    def title(self) -> str:
        """Name and version: results of the same title can be compared."""
        return Path(self.name).stem if self.version is None else f"{self.name}/{self.version}"

    @property
    def places(self) -> list[tuple[str, float]]:
        """Every modality at every radius."""
        return list(product(self.modality, self.eps))


def _built_in(name: str, model: str, defense: str = "none", hardened_with: str = "") -> Entry:
    return Entry(
        name=name, model=model, defense=defense, hardened_with=hardened_with, authors="rgbdsod", license="MIT",
        trained_on="generated scenes and demo:train",
    )  # fmt: skip


_GUARDS = ("median", "joint-bilateral", "resize-pad", "median+detect")

BOARDS: Mapping[str, Board] = {
    board.name: board
    for board in (
        Board(
            name="rgbdsod-mini",
            summary="the leaderboard: networks and defences under attacks that know them",
            version=1,
            data="scenes:12@128x128#4194304+demo:real",
            images=6,
            fingerprint="764baf443ee768990dda7302d0370986e8081bbf3e3189684a0d483604287caf",
            eps=(2 / 255, 4 / 255),
            settings={
                "effort": "standard", "steps": 5, "expectation": 2, "calibration": "scenes:64@128x128#4194305",
            },
            entries=(
                *(_built_in(name, name) for name in ("bbsnet", "jldcf", "d3net")),
                _built_in("bbsnet.robust", "bbsnet.robust", hardened_with="PGD-AT, both inputs, 4/255"),
                *(_built_in(f"bbsnet, {guard}", "bbsnet", guard) for guard in _GUARDS),
            ),
        ),
    )
}  # fmt: skip


def is_board(suite: str) -> bool:
    """Whether a suite's name, or its file, is that of a leaderboard.

    Raises:
        UsageError: several suites of which one is a leaderboard.
    """
    names = [part.strip() for part in suite.split(",") if part.strip()]
    boards = [name for name in names if name in BOARDS or (name.endswith(".toml") and "entry" in _peek(name))]
    if boards and len(names) > 1:
        raise UsageError(f"--suite {suite}: {boards[0]} is a leaderboard and runs alone; give each its own command")
    return bool(boards)


def read_board(suite: str) -> Board:
    """A leaderboard by name, or from a file.

    Args:
        suite: a name of `BOARDS`, or a .toml file with the fields of `Board`, [settings], and a table [[entry]] with
            the fields of `Entry` for each of its entries.

    Raises:
        UsageError: an unknown name, or a file that says something else.
    """
    if suite in BOARDS:
        return BOARDS[suite]
    if not suite.endswith(".toml"):
        raise UsageError(f'no leaderboard "{suite}"; use {", ".join(BOARDS)}, or a FILE.toml')
    try:
        document = read_toml(suite)
    except OSError as error:
        raise UsageError(f"--suite {suite}: {(error.strerror or str(error)).lower()}") from error
    except ValueError as error:
        raise UsageError(f"--suite {suite} is not a TOML file: {reason(error)}") from error
    return _board(document, f"--suite {suite}", Path(suite))


def _board(given: Mapping[str, Any], where: str, file: Path) -> Board:
    """A leaderboard as a file has it."""
    if odd := [name for name in given if name not in _FIELDS]:
        raise UsageError(f'{where}: no field "{odd[0]}"; a leaderboard has {", ".join(_FIELDS)}')
    if lacking := [name for name in ("data", "images", "eps", "entry") if name not in given]:
        raise UsageError(f"{where} has no {lacking[0]}; a leaderboard has {', '.join(_FIELDS)}")
    kinds = {"data": str, "images": int, "settings": dict, "entry": list}
    for name, kind in kinds.items():
        if not isinstance(given.get(name, kind()), kind) or isinstance(given.get(name), bool):
            raise UsageError(f"{where}: {name} is {given[name]!r}, expected {_SAID[name]}")
    return Board(
        name=str(file), data=given["data"], images=given["images"],
        modality=_texts(given["modality"]) if "modality" in given else tuple(INPUTS),
        eps=tuple(parse_number(text, f"{where}: eps") for text in _texts(given["eps"])),
        settings=given.get("settings", {}),
        entries=tuple(
            entry_of(own, f"{where}, entry {at}", file.parent) for at, own in enumerate(given["entry"], start=1)
        ),
    )  # fmt: skip


_SAID = {"data": "a data set's name", "images": "a whole number", "settings": "a table [settings]",
         "entry": "tables [[entry]]"}  # fmt: skip


def _texts(value: Any) -> tuple[str, ...]:
    """One value or a list, as text."""
    return tuple(str(item) for item in value) if isinstance(value, list) else (str(value),)


def _peek(name: str) -> Mapping[str, Any]:
    """A file's fields; none where it cannot be read, which whoever opens it will say."""
    try:
        return read_toml(name)
    except (OSError, ValueError):
        return {}
