"""Folders of shares that were computed apart become one run."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rgbdsod.errors import DataError, UsageError
from rgbdsod.foreign.documents import parse_json
from rgbdsod.foreign.files import reason
from rgbdsod.run.folder import RunFolder
from rgbdsod.run.identity import differences
from rgbdsod.run.manifest import FILE as MANIFEST
from rgbdsod.run.manifest import FOLDER as SET
from rgbdsod.run.outcome import IDS, outcome_of
from rgbdsod.run.pieces import Piece, agree, commit, read_pieces, split

_COPIED = ("adversarial", "images")
_NO_MATTER = {"system", "python"}
_NOT_SHARED = ("schema", "status", "arguments", "start", "end", "seconds", "files")


def merge_shares(folders: Sequence[str | Path], out: str | Path, *, arguments: str | None = None) -> Path:
    """Put the images of several folders of one run together in a folder of its own.

    The command that made them finishes it, with that folder as `out`: all images are there, so that it computes nothing
    and writes the results.

    Args:
        folders: of shares with the same settings, weights, data and versions, each with some of the images.
        out: the new folder.
        arguments: the command line, for the record.

    Returns:
        The new folder.

    Raises:
        UsageError: the folders are of different runs.
        DataError: an image is in none of them, or two disagree about it; or files cannot be read or written.
    """
    parts = [_Part(Path(folder)) for folder in folders]
    if not parts:
        raise UsageError("nothing to merge; name the folders of the shares")
    first = parts[0]
    for part in parts[1:]:
        _refuse_other(first, part)
    ids = first.ids()
    owners = _owners(parts)
    missing = [image for image in ids if image not in owners]
    if missing:
        raise DataError(
            f"{len(missing)} of {len(ids)} images are in none of the folders: {', '.join(missing[:5])}"
            f"{', ...' if len(missing) > 5 else ''}; add the folder of the share that has them"
        )
    record = {name: value for name, value in first.record.items() if name not in _NOT_SHARED}
    record["seconds"] = round(sum(part.record.get("seconds") or 0.0 for part in parts), 3)
    target = RunFolder.open(
        record["command"], record["settings"], title="", out=out, arguments=arguments, record=record
    )  # fmt: skip
    try:
        if not target.finished:
            _copy(parts, ids, target)
    finally:
        target.close()
    return target.path


class _Part:
    """One of the folders.

    Args:
        path: of a run that is finished, or has pieces.
    """

    def __init__(self, path: Path) -> None:
        self.folder = RunFolder(path, {})
        record = self.folder.previous()
        if record is None:
            raise DataError(f"{path} is no run folder (no run.json in it); name the folders of the shares")
        if (path / "networks").is_dir():
            raise UsageError(f"{path} has run folders in it, whose shares must meet in one folder: give all that --out")
        if not isinstance(record.get("command"), str) or not isinstance(record.get("settings"), dict):
            raise DataError(f"{path / 'run.json'} names no command or settings; copy {path} again")
        self.path, self.record = path, record
        self.folder.record = record
        self.pieces = self._pieces()

    def ids(self) -> list[str]:
        """All images of the run, in order."""
        if self.folder.finished:
            return self.pieces[0].ids
        try:
            ids = [str(image) for image in parse_json(self.folder.read(IDS))["ids"]]
        except (OSError, ValueError, LookupError, TypeError) as error:
            why = f"{self.path / IDS} cannot be read ({reason(error)})"
            raise DataError(f"{why}; give the share's command again") from error
        return ids

    def _pieces(self) -> list[Piece]:
        if not self.folder.finished:
            return list(read_pieces(self.folder, remove=False).values())
        return [replace(outcome_of(self.folder).piece, files=self._manifest())]

    def _manifest(self) -> dict[str, str]:
        """Checksums of the adversarial set of a run that is finished."""
        if not self.folder.has(MANIFEST):
            return {}
        try:
            files = self.folder.document(MANIFEST)["files"]
            return {f"{SET}/{file['name']}": str(file["sha256"]) for file in files}
        except (LookupError, TypeError) as error:
            why = f"{self.path / MANIFEST} lists no files ({reason(error)})"
            raise DataError(f"{why}; copy {self.path} again") from error


def _refuse_other(first: _Part, other: _Part) -> None:
    """Compare two folders as a folder is compared with the command that continues it, and their versions."""
    found = differences(first.record, other.record)
    if not found:
        one, two = (part.record.get("versions") or {} for part in (first, other))
        found = [(name, str(one.get(name)), str(two.get(name))) for name in sorted({*one, *two} - _NO_MATTER)
                 if one.get(name) != two.get(name)]  # fmt: skip
    if found:
        which = "; ".join(f"{name} {mine}, {other.path} with {its}" for name, mine, its in found)
        raise UsageError(f"{first.path} was made with {which}; merge folders of one run, or compute one of them again")
    if first.ids() != other.ids():
        raise UsageError(f"{first.path} and {other.path} are of different images; merge folders of one run")


def _owners(parts: Sequence[_Part]) -> dict[str, tuple[_Part, Piece]]:
    """Who has an image, and its results; what several have must be the same."""
    found: dict[str, tuple[_Part, Piece]] = {}
    for part in parts:
        for image, alone in (own for piece in part.pieces for own in split(piece).items()):
            if image in found and not agree(found[image][1], alone):
                raise DataError(
                    f"image {image} has other results in {found[image][0].path} than in {part.path}; "
                    "compute it again in one of them (--restart), or leave one out"
                )
            found.setdefault(image, (part, alone))
    return found


def _copy(parts: Sequence[_Part], ids: Sequence[str], out: RunFolder) -> None:
    """Files first, then the pieces that vouch for them."""
    for part in parts:
        for name in (name for kind in _COPIED for name in part.folder.names(kind)):
            if name != MANIFEST and not out.has(name):
                out.write(name, part.folder.read(name))
    places = {image: place for place, image in enumerate(ids)}
    for piece in (piece for part in parts for piece in part.pieces if places.keys() & piece.ids):
        commit(out, min(places[image] for image in piece.ids if image in places), piece)
