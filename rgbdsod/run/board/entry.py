"""What stands on a leaderboard: a network, perhaps a defence, and who made them. No torch here."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

from rgbdsod.defenses.filters.grammar import NONE, parse
from rgbdsod.errors import DataError, RgbdsodError, UsageError, WeightsError
from rgbdsod.foreign.documents import read_toml
from rgbdsod.foreign.files import reason
from rgbdsod.models.fusions import with_fusion
from rgbdsod.models.sizes import check_size
from rgbdsod.models.table import MODELS

CARD = ("name", "model", "trained_on", "authors", "license")
"""What every card has."""

_WHY = {
    "name": "what the table calls it",
    "model": "a name of `rgbdsod list models`, or FILE.py:function",
    "trained_on": "the images that its weights have seen; those of the suite must not be among them",
    "authors": "whom readers may ask",
    "license": 'of the weights, "none" if there is none',
}
_CODE = re.compile(r"(?P<file>.+\.py):(?P<function>\w+)")
_SIZE = re.compile(r"([1-9]\d*)x([1-9]\d*)")


class Network(NamedTuple):
    """All that decides which network an entry has."""

    model: str
    weights: str | None
    fusion: str | None
    size: tuple[int, int] | None


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A line of a leaderboard, as a card describes it.

    Args:
        name: what the table calls it.
        model: a name of `list_models()`, or "FILE.py:function".
        weights: a checkpoint.
        sha256: of that file.
        fusion: where the modalities meet, as for `load_model`.
        size: "HxW" that the network works at.
        defense: a chain such as "median+detect" in front of it.
        trained_on: the images that the weights have seen.
        hardened_with: how it was hardened, in words.
        authors, url, license, contact, note: for readers.
        folder: where the card lies; its files are looked for there.
    """

    name: str
    model: str
    weights: str = ""
    sha256: str = ""
    fusion: str = ""
    size: str = ""
    defense: str = NONE
    trained_on: str = ""
    hardened_with: str = ""
    authors: str = ""
    url: str = ""
    license: str = ""
    contact: str = ""
    note: str = ""
    folder: str = field(default="", compare=False, repr=False)

    @property
    def chain(self) -> str:
        """The defence in the words of `rgbdsod.run.defend`."""
        return "+".join(part.text for part in parse(self.defense)) or NONE

    @property
    def code(self) -> Path | None:
        """The file whose function makes the network; None where it is known by name."""
        found = _CODE.fullmatch(self.model)
        return None if found is None else Path(self.folder) / found["file"]

    @property
    def network(self) -> Network:
        """What is loaded."""
        code, found = self.code, _SIZE.fullmatch(self.size)
        model = self.model if code is None else f"{code}:{self.model.rpartition(':')[2]}"
        weights = str(Path(self.folder) / self.weights) if self.weights else None
        return Network(model, weights, self.fusion or None, (int(found[1]), int(found[2])) if found else None)

    @property
    def slug(self) -> str:
        """The name of its folder."""
        return re.sub(r"[^a-z0-9._]+", "-", self.name.lower()).strip("-.")

    def card(self) -> dict[str, str]:
        """The fields that say something, with the checksum of its code."""
        own = {name: value for name, value in asdict(self).items() if value and name != "folder"}
        return own if self.code is None else own | {"code_sha256": file_sha256(self.code)}


def read_card(path: str | Path) -> Entry:
    """The entry that a card describes.

    Args:
        path: a TOML file with `Entry`'s fields; files that it names lie beside it.

    Raises:
        UsageError: a field is unknown, missing or means nothing. DataError: the card or its code cannot be read.
        WeightsError: the weights are missing, or are others than the card says.
    """
    try:
        document = read_toml(path)
    except OSError as error:
        raise DataError(f"--submission {path}: {(error.strerror or str(error)).lower()}") from error
    except ValueError as error:  # UnicodeDecodeError and TOMLDecodeError
        raise UsageError(f"--submission {path} is not a TOML file: {reason(error)}") from error
    return entry_of(document, str(path), Path(path).parent, needed=CARD)


def entry_of(document: Mapping[str, Any], where: str, folder: Path, *, needed: tuple[str, ...] = CARD[:2]) -> Entry:
    """An entry from its fields, with everything checked that needs no network.

    Args:
        document: the fields.
        where: begins messages.
        folder: of the files that it names.
        needed: fields that must be there.

    Raises:
        UsageError, DataError, WeightsError: see `read_card`.
    """
    known = [own.name for own in fields(Entry) if own.name != "folder"]
    for name, value in document.items():
        if name not in known:
            close = get_close_matches(name, known, n=1)
            hint = f'did you mean "{close[0]}"?' if close else f"a card has {', '.join(known)}"
            raise UsageError(f'{where}: no field "{name}"; {hint}')
        if not isinstance(value, str):
            raise UsageError(f'{where}: {name} is {value!r}, expected text, as in {name} = "..."')
        if not value.isprintable():
            raise UsageError(f"{where}: {name} holds a line break or a control character; write one line")
    for name in needed:
        if not document.get(name, "").strip():
            raise UsageError(f'{where} has no {name}; add {name} = "...": {_WHY[name]}')
    entry = Entry(**document, folder=str(folder))
    try:
        _check(entry)
    except RgbdsodError as error:
        raise type(error)(f"{where}: {error}") from error
    return entry


def file_sha256(path: Path) -> str:
    """SHA-256 (hex) of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check(entry: Entry) -> None:
    """Everything but what a network itself must say."""
    if not entry.slug:
        raise UsageError(f'name "{entry.name}" has no letter or digit; pass a name such as bbsnet-at')
    if entry.size and _SIZE.fullmatch(entry.size) is None:
        raise UsageError(f'size = "{entry.size}": expected HxW, such as 128x128')
    _check_network(entry)
    _check_weights(entry)
    parse(entry.defense)


def _check_network(entry: Entry) -> None:
    code, size = entry.code, entry.network.size
    if code is not None:
        if not code.is_file():
            raise DataError(f"no file {code}; model is FILE.py:function with a file beside the card")
        if entry.fusion:
            raise UsageError("fusion is for networks by name; choose it in your function")
        return
    if ".py" in entry.model:
        raise UsageError(f'model = "{entry.model}" names no function; write FILE.py:function')
    row = with_fusion(MODELS[entry.model], entry.fusion or None)
    if size is not None:
        check_size(entry.model, size, row.multiple)
    if row.asset is None and not row.pretrained and not entry.weights:
        raise WeightsError(f'{row.name} has no built-in weights; add weights = "FILE" and its sha256')


def _check_weights(entry: Entry) -> None:
    path = entry.network.weights
    if path is None:
        if entry.sha256:
            raise UsageError('sha256 is given, but no weights; add weights = "FILE", or leave it out')
        return
    if not Path(path).is_file():
        raise WeightsError(f"no file {path}; weights is one checkpoint file beside the card")
    found = file_sha256(Path(path))
    if not entry.sha256:
        raise UsageError(f'weights need their checksum; add sha256 = "{found}"')
    if found != entry.sha256.lower():
        raise WeightsError(
            f"{path} has sha256 {found}, and the card says {entry.sha256}; write the former, or bring the file that "
            "the card means"
        )
