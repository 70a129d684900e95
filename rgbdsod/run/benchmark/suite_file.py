"""A suite in a TOML file: a table [[block]] for each grid. What does not belong there is an error that says where."""

import re
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from itertools import product
from math import prod
from typing import Any

from rgbdsod.errors import UsageError
from rgbdsod.foreign.documents import read_toml
from rgbdsod.foreign.files import reason, shown
from rgbdsod.run.benchmark.cell import Assault
from rgbdsod.run.benchmark.contender import SALIENCY, ZERO_SHOT
from rgbdsod.run.benchmark.suites import Block
from rgbdsod.run.threats import parse_number

_NEEDED = ("model", "data", "attack", "modality", "eps")
_FIELDS = ("world", "model", "weights", "fusion", "training", "size", "data", "images", "attack", "modality", "eps",
           "seeds")  # fmt: skip
_ONE = ("world", "size", "images")
_SIZE = re.compile(r"([1-9]\d{0,3})x([1-9]\d{0,3})")
_LARGEST = 1 << 53  # of whole numbers, which every table then holds exactly
_MOST_CELLS = 100_000


def read_file(name: str) -> tuple[Block, ...]:
    """The grids of a suite file.

    Args:
        name: of a .toml file with a table [[block]] for each grid; every field of it but `world`, `size` and `images`
            is one value or a list, and lists are combined. `weights` may hold {model}, {fusion}, {training} and {seed}.
            Labelled sets of one block (`data` of the world "zero-shot") are measured together.

    Raises:
        UsageError: naming file, block and field, what came and what was expected.
    """
    where = f"--suite {name}"
    try:
        document = read_toml(name)
    except OSError as error:
        raise UsageError(f"{where}: {reason(error)}") from error
    except ValueError as error:
        raise UsageError(f"{where} is not a TOML file: {reason(error)}") from error
    blocks = document.get("block")
    if set(document) != {"block"} or not isinstance(blocks, list) or not all(isinstance(own, dict) for own in blocks):
        odd = next((f"; got {shown(key)}" for key in document if key != "block"), "")
        raise UsageError(f"{where}: expected tables [[block]] and nothing else{odd}")
    return tuple(_checked(own, f"{where}, block {at}") for at, own in enumerate(blocks, start=1))


def _checked(given: Mapping[str, Any], where: str) -> Block:
    """A block of which every cell can be."""
    for name in given:
        if name not in _FIELDS:
            close = get_close_matches(name, _FIELDS, n=1)
            hint = f'did you mean "{close[0]}"? A' if close else "a"
            raise UsageError(f"{where}: no field {shown(name)}; {hint} block has {', '.join(_FIELDS)}")
    if lacking := [name for name in _NEEDED if name not in given]:
        raise UsageError(f"{where} has no {lacking[0]}; a block needs {', '.join(_NEEDED)}")
    block = _block(given, where)
    try:
        if _count(block) > _MOST_CELLS:
            raise UsageError(f"these are {_count(block):,} cells; the most is {_MOST_CELLS:,}")
        block.cells()
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from error
    return block


def _block(given: Mapping[str, Any], where: str) -> Block:
    def texts(name: str) -> tuple[str, ...]:
        return tuple(_each(given, name, where, _text, "a name in quotes"))

    def texts_or_none(name: str) -> tuple[str | None, ...]:
        return texts(name) if name in given else (None,)

    world = _one(given, "world", where) if "world" in given else SALIENCY
    data = texts("data")
    return Block(
        world=world, model=texts("model"), data=(",".join(data),) if world == ZERO_SHOT else data,
        attack=tuple(attack for own in _listed(given["attack"]) for attack in _attacks(own, where)),
        modality=texts("modality"),
        eps=tuple(_each(given, "eps", where, _number(f"{where}: eps"), 'a number, or a fraction such as "8/255"')),
        images=_images(given, where), weights=texts_or_none("weights"), fusion=texts_or_none("fusion"),
        training=texts_or_none("training"), size=_size(given, where),
        seeds=tuple(_each(given, "seeds", where, _whole, "whole numbers, for example [0, 1]")) if "seeds" in given
        else None,
    )  # fmt: skip


def _each(given: Mapping[str, Any], name: str, where: str, read: Callable[[Any], Any], expected: str) -> Iterator[Any]:
    """One value or a list, read one by one; `read` gives None for what cannot be."""
    for value in _listed(given[name]):
        found = read(value)
        if found is None:
            raise UsageError(f"{where}: {name} is {shown(value)}, expected {expected}")
        yield found


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value.strip() and value.isprintable() else None


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < _LARGEST else None


def _number(flag: str) -> Callable[[Any], float | None]:
    def read(value: Any) -> float | None:
        if isinstance(value, str):
            return parse_number(value, flag)
        return float(value) if isinstance(value, float) or _whole(value) is not None else None

    return read


def _one(given: Mapping[str, Any], name: str, where: str) -> str:
    value = given[name]
    if not isinstance(value, str) or _text(value) is None:
        raise UsageError(f"{where}: {name} is {shown(value)}, expected one name in quotes")
    return value


def _images(given: Mapping[str, Any], where: str) -> int | None:
    if "images" not in given:
        return None
    images = _whole(given["images"])
    if images is None:
        raise UsageError(f"{where}: images is {shown(given['images'])}, expected a whole number")
    if images < 1:
        raise UsageError(f"{where}: images is {images}, expected 1 or more; leave it out for all")
    return images


def _size(given: Mapping[str, Any], where: str) -> tuple[int, int] | None:
    if "size" not in given:
        return None
    found = _SIZE.fullmatch(_one(given, "size", where))
    if found is None:
        raise UsageError(f'{where}: size is {shown(given["size"])}, expected HxW, for example "128x128"')
    return int(found[1]), int(found[2])


def _attacks(own: Any, where: str) -> Iterator[Assault]:
    """Attacks of one entry: "pgd-20", or { name = "pgd", steps = [10, 20], step_size = "2/255" }."""
    try:
        if isinstance(own, str):
            yield Assault.of(own)
            return
        if not isinstance(own, dict) or not isinstance(own.get("name"), str):
            raise UsageError(f'{shown(own)}, expected a name, or a table such as {{ name = "pgd", steps = 20 }}')
        names = [name for name in own if name != "name"]
        for values in product(*(_listed(own[name]) for name in names)):
            yield Assault.of(own["name"], {name: _parameter(name, v) for name, v in zip(names, values, strict=True)})
    except UsageError as error:
        raise UsageError(f"{where}: attack: {error}") from error


def _parameter(name: str, value: Any) -> str | int | float | bool:
    if isinstance(value, str) and "/" in value:
        return parse_number(value, name)
    if isinstance(value, bool | float):
        return value
    if _text(value) is None and _whole(value) is None:
        raise UsageError(f"{name} is {shown(value)}, expected a number, a word, true or false")
    found: str | int = value
    return found


def _count(block: Block) -> int:
    """How many cells there would be if all were possible."""
    axes = (block.model, block.weights, block.fusion, block.training, block.data, block.attack, block.modality,
            block.eps, block.seeds or (0,))  # fmt: skip
    return prod(map(len, axes))
