"""What a benchmark measures, as data: cases, and the suites that they make up. No torch here."""

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import product
from pathlib import Path
from typing import Any, Literal, get_args

from rgbdsod.attacks.budget import check_eps
from rgbdsod.attacks.table import ATTACKS
from rgbdsod.errors import UsageError
from rgbdsod.run.threats import parse_number

World = Literal["saliency", "zero-shot"]

IMAGE = "image"
"""The modality of a classifier."""

_STEPS = re.compile(r"(.+)-(\d+)")
_UNFIT = re.compile(r"[^A-Za-z0-9._-]+")
_SALIENCY = ("bbsnet", "jldcf", "d3net")
_TASKS = "glyphs:pairs,glyphs:new-shapes,glyphs:shapes,glyphs:textures,glyphs:backgrounds"


@dataclass(frozen=True)
class Case:
    """One attack on one network and its data, within several radii.

    Args:
        world: "saliency" (maps from RGB and depth) or "zero-shot" (classes of an image).
        model: what `rgbdsod.attack`, or `rgbdsod.clip.load_clip`, calls it.
        data: a saliency data set, or labelled sets with commas.
        attack: a name of `list_attacks()`, with a number of steps behind it if it is not the usual one: "apgd-20".
        modality: the attacked input, "both", or "image".
        eps: Linf radii, in units of the [0, 1] input.
        images: how many of a data set, or of each labelled set; evenly chosen. None: all.

    Raises:
        UsageError: a name or a number that cannot be.
    """

    world: World
    model: str
    data: str
    attack: str
    modality: str
    eps: tuple[float, ...]
    images: int | None = None

    def __post_init__(self) -> None:
        if self.world not in get_args(World):
            raise UsageError(f'no world "{self.world}"; a suite has {" or ".join(get_args(World))}')
        row = ATTACKS[self.member[0]]
        if "linf" not in row.norms or row.aim != "strongest":
            raise UsageError(f'attack "{row.name}" looks for no worst point within an Linf radius; use pgd, apgd, ...')
        if row.outputs not in ("any", "maps" if self.world == "saliency" else "classes"):
            raise UsageError(f'attack "{row.name}" is for {row.outputs}, not for the world "{self.world}"')
        if not self.eps:
            raise UsageError("a case has no eps; give at least one radius, for example 8/255")
        for eps in self.eps:
            check_eps(eps, "linf")
        if self.images is not None and self.images < 1:
            raise UsageError(f"--images {self.images}: pass 1 or more")
        if (self.modality == IMAGE) != (self.world == "zero-shot"):
            usual = "rgb, depth or both" if self.world == "saliency" else IMAGE
            raise UsageError(f'modality "{self.modality}" in the world "{self.world}"; expected {usual}')

    @property
    def member(self) -> tuple[str, dict[str, Any]]:
        """The attack's name and its own parameters."""
        found = None if self.attack in ATTACKS else _STEPS.fullmatch(self.attack)
        return (self.attack, {}) if found is None else (found[1], {"steps": int(found[2])})

    @property
    def key(self) -> str:
        """The name of the case's folder: readable, and different for different cases."""
        digest = hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:6]
        first = self.data.partition(",")[0]
        parts = (
            Path(self.model).stem if ".py" in self.model else self.model,
            first,
            self.attack,
            self.modality,
            digest,
        )
        return "-".join(_UNFIT.sub("-", part) for part in parts)


@dataclass(frozen=True)
class Block:
    """Cases that differ in nothing but their names: every model with every attack on every modality.

    Args:
        world, data, eps, images: see `Case`.
        model, attack, modality: all that are combined.
    """

    world: World
    model: tuple[str, ...]
    data: str
    attack: tuple[str, ...]
    modality: tuple[str, ...]
    eps: tuple[float, ...]
    images: int | None = None

    @property
    def cases(self) -> list[Case]:
        """All of them, models slowest."""
        combined = product(self.model, self.modality, self.attack)
        return [Case(self.world, m, self.data, a, where, self.eps, self.images) for m, where, a in combined]


@dataclass(frozen=True)
class Suite:
    """Cases under a name.

    Args:
        name: what a user types.
        summary: what it is for.
        blocks: its cases.
    """

    name: str
    summary: str
    blocks: tuple[Block, ...]

    @property
    def cases(self) -> list[Case]:
        """All of them, each once."""
        return list(dict.fromkeys(case for block in self.blocks for case in block.cases))


def _levels(*levels: int) -> tuple[float, ...]:
    return tuple(level / 255 for level in levels)


_CROSS = ("noise", "fgsm", "pgd-20", "apgd-20")

SUITES: Mapping[str, Suite] = {
    suite.name: suite
    for suite in (
        Suite(
            "quick",
            "one network of each world, a few images: whether everything works",
            (
                Block("saliency", ("bbsnet",), "demo", ("fgsm", "pgd-5"), ("rgb", "both"), _levels(8), 4),
                Block("zero-shot", ("clip.demo",), "glyphs:pairs", ("fgsm", "pgd-5"), (IMAGE,), _levels(8), 32),
            ),
        ),
        Suite(
            "standard",
            "the built-in saliency networks, one input at a time and both",
            (
                Block(
                    "saliency", _SALIENCY, "demo", ("fgsm", "pgd-20", "apgd-20"), ("rgb", "depth", "both"),
                    _levels(2, 4, 8),
                ),
            ),
        ),
        Suite(
            "cross",
            "the same attacks at the same budgets on saliency networks and on a zero-shot classifier",
            (
                Block("saliency", _SALIENCY, "demo", _CROSS, ("rgb", "both"), _levels(2, 8), 6),
                Block("zero-shot", ("clip.demo",), _TASKS, _CROSS, (IMAGE,), _levels(2, 8), 128),
            ),
        ),
    )
}  # fmt: skip


def read_suites(names: str | Sequence[str]) -> list[Case]:
    """The cases of suites, each once.

    Args:
        names: of `SUITES`, or .toml files with a table [[block]] of `Block`'s fields for each block, where every field
            may be one value or a list.

    Raises:
        UsageError: an unknown name, or a file that says something else.
    """
    wanted = [part.strip() for part in names.split(",") if part.strip()] if isinstance(names, str) else list(names)
    if not wanted:
        raise UsageError(f"--suite is empty; use {', '.join(SUITES)}, or a FILE.toml")
    return list(dict.fromkeys(case for name in wanted for case in _suite(name).cases))


def fingerprint(cases: Sequence[Case]) -> str:
    """SHA-256 (hex) of what is measured."""
    return hashlib.sha256(json.dumps([asdict(case) for case in cases], sort_keys=True).encode()).hexdigest()


def _suite(name: str) -> Suite:
    if name in SUITES:
        return SUITES[name]
    if not name.endswith(".toml"):
        raise UsageError(f'no suite "{name}"; use {", ".join(SUITES)}, or a FILE.toml')
    try:
        document = tomllib.loads(Path(name).read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"--suite {name}: {(error.strerror or str(error)).lower()}") from error
    except ValueError as error:
        raise UsageError(f"--suite {name} is not a TOML file: {error}") from error
    blocks = document.get("block")
    if set(document) != {"block"} or not isinstance(blocks, list):
        raise UsageError(f"--suite {name}: expected tables [[block]] and nothing else")
    return Suite(name, "", tuple(_block(own, f"--suite {name}, block {at}") for at, own in enumerate(blocks, start=1)))


def _block(given: Mapping[str, Any], where: str) -> Block:
    """A block as a file has it."""
    known = [field.name for field in fields(Block)]
    if odd := [name for name in given if name not in known]:
        raise UsageError(f'{where}: no field "{odd[0]}"; a block has {", ".join(known)}')
    if lacking := [name for name in known if name not in given and name != "images"]:
        raise UsageError(f"{where} has no {lacking[0]}; a block has {', '.join(known)}")
    images = given.get("images")
    if images is not None and (not isinstance(images, int) or isinstance(images, bool)):
        raise UsageError(f"{where}: images is {images!r}, expected a whole number")
    return Block(
        world=given["world"], model=_texts(given["model"]), data=",".join(_texts(given["data"])),
        attack=_texts(given["attack"]), modality=_texts(given["modality"]),
        eps=tuple(parse_number(text, f"{where}: eps") for text in _texts(given["eps"])), images=images,
    )  # fmt: skip


def _texts(value: Any) -> tuple[str, ...]:
    """One value or a list, as text."""
    return tuple(str(item) for item in value) if isinstance(value, list) else (str(value),)
